// Whose account is meant by a login name.
#pragma once

#include <string>
#include <string_view>

namespace wherry::auth {

/// The account that is meant by a login name as it was typed: users have theirs in lower case, and directories find
/// people whatever case and spaces around it were typed.
std::string account_of(std::string_view name);

}  // namespace wherry::auth
