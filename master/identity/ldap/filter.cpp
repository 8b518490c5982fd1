#include "master/identity/ldap/filter.h"

#include "common/base/check.h"

namespace wherry::master::ldap {

std::string escape_for_filter(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c != '*' && c != '(' && c != ')' && c != '\\' && byte >= 0x20 && byte < 0x7f) {
      escaped += c;
    } else {
      escaped += '\\';
      escaped += kDigits[byte >> 4];
      escaped += kDigits[byte & 15];
    }
  }
  return escaped;
}

bool is_template(std::string_view filter, std::string_view place) {
  const auto at = filter.find(place);
  if (at == std::string_view::npos || filter.find(place, at + 1) != std::string_view::npos) return false;
  if (!filter.starts_with('(') || !filter.ends_with(')')) return false;
  int open = 0;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] == '(') ++open;
    if (filter[i] == ')') --open;
    if (open == 0) return i + 1 == filter.size();
  }
  return false;
}

std::string fill_template(std::string_view filter, std::string_view place, std::string_view value) {
  const auto at = filter.find(place);
  WHERRY_CHECK(at != std::string_view::npos);
  std::string filled(filter.substr(0, at));
  filled += escape_for_filter(value);
  filled += filter.substr(at + place.size());
  return filled;
}

}  // namespace wherry::master::ldap
