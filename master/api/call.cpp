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

Answer Answer::problem(int status, std::string detail) { return Answer(problem_document(status, detail), status); }

}  // namespace wherry::api
