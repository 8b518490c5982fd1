#include "master/identity/ldap/groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"

namespace wherry::master::ldap {
namespace {

using testing::kind_of;

/// Answers each search with the next of the lists of groups' names; counts them.
struct ToldGroups {
  std::vector<std::vector<std::string>> answers;
  std::vector<std::string> filters;

  Result<Found> operator()(const Search& search) {
    filters.push_back(search.filter);
    Found found;
    if (filters.size() > answers.size()) return Error(ErrorKind::kUnavailable, "asked once too often");
    for (const std::string& name : answers[filters.size() - 1]) found.entries.push_back({"cn=" + name, {{name}}});
    return found;
  }
};

LdapOptions told_options() {
  LdapOptions options;
  options.group_base = "ou=groups";
  options.group_filter = "(member={dn})";
  options.nested_groups = 32;
  return options;
}

std::vector<std::string> many_names(int first, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back("g" + std::to_string(first + i));
  return names;
}

TEST(LdapGroups, AGroupIsAskedForOnceWhateverTheCycles) {
  ToldGroups told{{{"a"}, {"b", "a"}, {"a", "b"}}, {}};
  const auto groups = find_groups(told_options(), "cn=x(y)", std::ref(told));
  ASSERT_TRUE(groups) << groups.error().message();
  EXPECT_EQ(groups->names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(groups->dns, (std::vector<std::string>{"cn=a", "cn=b"}));
  EXPECT_EQ(told.filters, (std::vector<std::string>{"(member=cn=x\\28y\\29)", "(member=cn=a)", "(member=cn=b)"}));
}

TEST(LdapGroups, ALevelOfManyGroupsIsAskedForInAFewSearches) {
  ToldGroups told{{many_names(0, 120), {}, {"top"}, {}, {}}, {}};
  const auto groups = find_groups(told_options(), "cn=x", std::ref(told));
  ASSERT_TRUE(groups) << groups.error().message();
  EXPECT_EQ(groups->names.size(), 121u);
  EXPECT_EQ(told.filters.size(), 5u);
  EXPECT_TRUE(told.filters[1].starts_with("(|(member=cn=g0)(member=cn=g1)")) << told.filters[1];
}

TEST(LdapGroups, TheBoundCountsAllLevelsTogether) {
  auto options = told_options();
  options.nested_groups = 1;
  ToldGroups fits{{many_names(0, 500), many_names(500, 500), {}, {}, {}, {}, {}, {}, {}, {}, {}}, {}};
  EXPECT_TRUE(find_groups(options, "cn=x", std::ref(fits)));
  ToldGroups over{{many_names(0, 500), many_names(500, 501), {}, {}, {}, {}, {}, {}, {}, {}, {}}, {}};
  EXPECT_EQ(kind_of(find_groups(options, "cn=x", std::ref(over))), ErrorKind::kUnavailable);
}

TEST(LdapGroups, ASearchThatFailsFailsAll) {
  ToldGroups told{{{"a"}}, {}};
  EXPECT_EQ(kind_of(find_groups(told_options(), "cn=x", std::ref(told))), ErrorKind::kUnavailable);
}

TEST(LdapGroups, AGroupWithoutAUsableNameIsFollowedAllTheSame) {
  ToldGroups told{{{"bad\nname"}, {"good"}, {}}, {}};
  const auto groups = find_groups(told_options(), "cn=x", std::ref(told));
  ASSERT_TRUE(groups) << groups.error().message();
  EXPECT_EQ(groups->names, std::vector<std::string>{"good"});
  EXPECT_EQ(groups->dns.size(), 2u);
}

}  // namespace
}  // namespace wherry::master::ldap
