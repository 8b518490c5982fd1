#include "master/identity/ldap/groups.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "master/identity/ldap/filter.h"
#include "master/identity/ldap/value.h"

namespace wherry::master::ldap {
namespace {

Search groups_of(const LdapOptions& options, std::span<const std::string> members) {
  std::string any;
  for (const std::string& dn : members) any += fill_template(options.group_filter, kDnPlace, dn);
  Search search;
  search.base = options.group_base;
  search.filter = members.size() == 1 ? any : "(|" + any + ")";
  search.attributes = {options.group_name_attribute};
  search.most = kMaxGroups;
  return search;
}

}  // namespace

Result<Groups> find_groups(const LdapOptions& options, const std::string& dn,
                           const std::function<Result<Found>(const Search&)>& search) {
  std::set<std::string> names;
  std::set<std::string> dns;
  std::vector<std::string> members = {dn};
  if (options.group_base.empty()) members.clear();
  for (std::uint64_t depth = 0; depth <= options.nested_groups && !members.empty(); ++depth) {
    std::vector<std::string> next;
    for (std::size_t at = 0; at < members.size(); at += kGroupsAtOnce) {
      const auto some = std::span(members).subspan(at, std::min(kGroupsAtOnce, members.size() - at));
      auto found = search(groups_of(options, some));
      if (!found) return found.error();
      for (Entry& group : found->entries) {
        if (group.dn.empty() || !dns.insert(group.dn).second) continue;
        next.push_back(std::move(group.dn));
        if (auto name = text_of(group.values[0]); !name.empty()) names.insert(std::move(name));
      }
      if (found->more || dns.size() > kMaxGroups)
        return Error(ErrorKind::kUnavailable, "{}: {} is in more groups than the {} that are read: narrow group-filter",
                     options.url, dn, kMaxGroups);
    }
    members = std::move(next);
  }
  Groups groups;
  groups.names.assign(names.begin(), names.end());
  groups.dns.assign(dns.begin(), dns.end());
  return groups;
}

}  // namespace wherry::master::ldap
