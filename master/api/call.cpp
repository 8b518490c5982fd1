#include "master/api/call.h"

#include "common/base/bytes.h"
#include "common/http/uri.h"
#include "master/api/problem.h"

namespace wherry::api {

std::optional<std::string> Call::query(const std::string& name) const { return http::query_value(query_, name); }

Result<std::uint64_t> Call::number(const std::string& name, std::uint64_t otherwise, std::uint64_t least,
                                   std::uint64_t most) const {
  const auto text = query(name);
  if (!text) return otherwise;
  const auto number = parse_decimal(*text, most);
  if (!number || *number < least)
    return Error(ErrorKind::kInvalid, "{}: must be a number from {} to {}", name, least, most);
  return *number;
}

Result<std::optional<std::uint64_t>> Call::if_version() const {
  if (if_match_.empty() || if_match_ == "*") return std::optional<std::uint64_t>();
  const std::string_view text = if_match_;
  const bool quoted = text.size() > 2 && text.front() == '"' && text.back() == '"';
  const auto version = quoted ? parse_decimal(text.substr(1, text.size() - 2)) : std::nullopt;
  if (!version) return Error(ErrorKind::kInvalid, "If-Match: {} is no ETag of this API", if_match_);
  return version;
}

Answer Answer::problem(int status, std::string detail) { return Answer(problem_document(status, detail), status); }

}  // namespace wherry::api
