#define TOML_IMPLEMENTATION
#include "node/clients/toml_text.h"

#include "common/base/json.h"

namespace wherry::node {

Result<toml::table> parse_toml(std::string_view text) {
  toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return Error(ErrorKind::kInvalid, "line {}: {}", parsed.error().source().begin.line, parsed.error().description());
  return std::move(parsed).table();
}

std::size_t start_of_line(std::string_view text, std::size_t line) {
  std::size_t at = 0;
  for (; line > 1; --line) {
    const auto end = text.find('\n', at);
    if (end == text.npos) return text.size();
    at = end + 1;
  }
  return at;
}

/// JSON's escapes are among TOML's.
std::string toml_string(std::string_view text) { return json_string(text); }

}  // namespace wherry::node
