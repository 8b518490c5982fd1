#include "master/identity/ldap/value.h"

#include <strings.h>

#include <algorithm>

#include "common/base/bytes.h"

namespace wherry::master::ldap {
namespace {

/// Of any case in ASCII.
bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

bool is_name(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kMaxNameBytes && std::ranges::none_of(text, control);
}

std::string text_of(const std::vector<std::string>& values) {
  const auto first = std::ranges::find_if(values, [](const std::string& value) { return is_name(value); });
  return first == values.end() ? std::string() : *first;
}

std::vector<std::string> names_of(std::vector<std::string> values) {
  std::erase_if(values, [](const std::string& value) { return !is_name(value); });
  return values;
}

std::string login_of(const std::vector<std::string>& values, std::string_view login) {
  const auto typed = std::ranges::find_if(values, [&](const std::string& value) { return same(value, login); });
  return typed != values.end() && is_name(*typed) ? *typed : text_of(values);
}

std::string id_of(const std::vector<std::string>& values, std::string_view attribute) {
  if (values.size() != 1 || values[0].empty() || values[0].size() > kMaxNameBytes) return {};
  // By its name first: a GUID whose bytes happen to be letters is one all the same.
  if (same(attribute, "objectGUID") || same(attribute, "objectSid") || !is_printable(values[0]))
    return to_hex(as_bytes(values[0]));
  return values[0];
}

}  // namespace wherry::master::ldap
