// Values of attributes as texts. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wherry::master::ldap {

/// Longest login name, name of a group and mail address, in bytes.
constexpr std::size_t kMaxNameBytes = 256;

/// 1 to kMaxNameBytes bytes without control characters.
bool is_name(std::string_view text);

/// The first of the values that is_name(); empty when none is.
std::string text_of(const std::vector<std::string>& values);

/// The values that are is_name().
std::vector<std::string> names_of(std::vector<std::string> values);

/// The value that is `login` but for case, else text_of(): people may have several login names.
std::string login_of(const std::vector<std::string>& values, std::string_view login);

/// The one value of an attribute that identifies an entry, in hexadecimal when it is binary (objectGUID, objectSid,
/// anything that is not printable ASCII); empty when there is none, or more than one.
std::string id_of(const std::vector<std::string>& values, std::string_view attribute);

}  // namespace wherry::master::ldap
