// Search filters that are made of a template and a text from outside (RFC 4515). Pure.
#pragma once

#include <string>
#include <string_view>

namespace wherry::master::ldap {

constexpr std::string_view kLoginPlace = "{login}";
constexpr std::string_view kDnPlace = "{dn}";

/// A text as a value in a filter: what could end or widen it (RFC 4515, 3: * ( ) \ NUL), and all that is not printable
/// ASCII, as \xx.
std::string escape_for_filter(std::string_view text);

/// Whether `place` stands in `filter` exactly once and its parentheses close. The directory checks the rest.
bool is_template(std::string_view filter, std::string_view place);

/// `filter`, which is_template(), with `value` in its place, escaped.
std::string fill_template(std::string_view filter, std::string_view place, std::string_view value);

}  // namespace wherry::master::ldap
