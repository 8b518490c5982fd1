// The groups that an entry is in, and those that these are in.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "master/identity/ldap/connection.h"

namespace wherry::master::ldap {

/// More than that in all is an error: a part of them would be a guess.
constexpr std::size_t kMaxGroups = 1000;
/// So many groups' own groups are asked for in one search.
constexpr std::size_t kGroupsAtOnce = 50;

struct Groups {
  std::vector<std::string> names;  ///< sorted, each once
  std::vector<std::string> dns;    ///< sorted, each once
};

/// Asks level by level, a group once whatever the cycles; a group without a usable name has only its dn in the result.
/// Errors: those of `search`; kUnavailable when there are more than kMaxGroups.
Result<Groups> find_groups(const LdapOptions& options, const std::string& dn,
                           const std::function<Result<Found>(const Search&)>& search);

}  // namespace wherry::master::ldap
