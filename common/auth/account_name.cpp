#include "common/auth/account_name.h"

#include "common/base/lower_case.h"

namespace wherry::auth {

std::string account_of(std::string_view name) {
  const auto first = name.find_first_not_of(' ');
  if (first == std::string_view::npos) return std::string(name);
  return lower_case(name.substr(first, name.find_last_not_of(' ') - first + 1));
}

}  // namespace wherry::auth
