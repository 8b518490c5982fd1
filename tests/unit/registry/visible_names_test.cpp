#include "common/registry/visible_names.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/auth/visitor.h"
#include "tests/unit/support/run_task.h"

namespace wherry::registry {
namespace {

using auth::Grant;
using auth::Identity;
using auth::Permission;
using testing::run_task;
using Names = std::vector<std::string>;

/// A catalog in memory, which counts what it is asked for.
class NamesOnly final : public Catalog {
 public:
  Task<Result<NamePage>> repositories(std::string last, std::size_t limit) override {
    ++asked;
    Names page;
    auto at = all.upper_bound(last);
    for (; at != all.end() && page.size() < limit; ++at) page.push_back(*at);
    looked += page.size();
    co_return NamePage(std::move(page), at != all.end());
  }
  Task<Result<StoredManifest>> manifest(const RepositoryName&, const Reference&) override { co_return nothing(); }
  Task<Result<NamePage>> tags(const RepositoryName&, std::string, std::size_t) override { co_return nothing(); }
  Task<Result<ReferrerPage>> referrers(const RepositoryName&, const Digest&, std::string, std::string,
                                       std::size_t) override {
    co_return nothing();
  }
  static Error nothing() { return Error(ErrorKind::kNotFound, "of no interest"); }

  std::set<std::string> all;
  std::size_t asked = 0;
  std::size_t looked = 0;
};

class VisibleNames : public ::testing::Test {
 protected:
  void add_project(const std::string& name, bool is_public, const std::vector<Grant>& grants) {
    ASSERT_TRUE(policy.set_project(name, auth::ProjectPolicy("p-" + name, is_public, grants).to_json()));
  }
  static Identity somebody(std::string id) {
    Identity who;
    who.kind = Identity::Kind::kUser;
    who.id = std::move(id);
    return who;
  }
  auth::Visitor visitor(const Identity& who) const {
    auth::Claims claims;
    claims.who = who;
    claims.is_unlimited = true;
    return {std::make_shared<const auth::Policy>(policy), std::make_shared<const auth::Claims>(claims)};
  }
  NamePage page(const Identity& who, std::string last, std::size_t limit) {
    const auth::Visitor visiting = visitor(who);
    return run_task(visible_repositories(catalog, visiting, std::move(last), limit)).value();
  }
  /// All pages, one after another, on one loop.
  static Task<Result<Names>> every_page(Catalog* from, const auth::Visitor* who, std::size_t limit) {
    Names names;
    std::string last;
    while (true) {
      auto next = co_await visible_repositories(*from, *who, last, limit);
      if (!next) co_return next.error();
      names.insert(names.end(), next->names().begin(), next->names().end());
      if (!next->more()) co_return names;
      EXPECT_EQ(next->names().size(), limit) << "a page before the last one is whole";
      if (next->names().empty()) co_return names;
      last = next->names().back();
    }
  }
  Names all_pages(const Identity& who, std::size_t limit) {
    const auth::Visitor visiting = visitor(who);
    return run_task(every_page(&catalog, &visiting, limit)).value();
  }
  Names expected(const Identity& who) const {
    Names names;
    for (const std::string& name : catalog.all)
      if (policy.allowed(who, name).has(Permission::kList)) names.push_back(name);
    return names;
  }

  auth::Policy policy;
  NamesOnly catalog;
};

TEST_F(VisibleNames, AreThoseThatOneMayListWhateverTheSizeOfThePage) {
  const std::vector<std::string> projects{"a", "a-b", "a.b", "a0", "aa", "b", "ba", "z", "z-z"};
  std::mt19937 random(7);  // NOLINT: the same each time
  for (const std::string& project : projects) {
    if (random() % 3 != 0) catalog.all.insert(project);
    for (int i = 0; i < 100; ++i)
      catalog.all.insert(project + "/" + std::string(1, static_cast<char>('a' + random() % 5)) +
                         (random() % 2 == 0 ? "/x" : "-") + std::to_string(random() % 40));
  }
  add_project("a", false, {{.subject = "whole", .repository = {}, .permissions = {Permission::kList}}});
  add_project("a-b", false,
              {{.subject = "parts", .repository = "a-b/c*", .permissions = {Permission::kList}},
               {.subject = "parts", .repository = "a-b/**", .permissions = {Permission::kPull}}});
  add_project("aa", false,
              {{.subject = "parts", .repository = "aa/*/x3", .permissions = {Permission::kList}},
               {.subject = "parts", .repository = "aa/a/x?", .permissions = {Permission::kList}},
               {.subject = "whole", .repository = "aa", .permissions = {Permission::kList}}});
  add_project("b", true, {});
  add_project("z", false, {{.subject = "parts", .repository = "**", .permissions = {Permission::kList}}});
  const auth::ProjectPolicy system("system", false,
                                   {{.subject = "root", .repository = {}, .permissions = {Permission::kList}}});
  ASSERT_TRUE(policy.set(auth::kSystemPolicy, system.to_json()));
  Identity node;
  node.kind = Identity::Kind::kNode;
  node.projects = {"a*", "z", "??"};
  Identity any_node;
  any_node.kind = Identity::Kind::kNode;
  for (const Identity& who : {somebody("whole"), somebody("parts"), somebody("root"), somebody("none"), node, any_node})
    for (const std::size_t limit : {1UL, 2UL, 7UL, 64UL, 1000UL})
      EXPECT_EQ(all_pages(who, limit), expected(who)) << who.id << " by " << limit;
  EXPECT_EQ(expected(somebody("none")).size(), expected(Identity()).size());
}

TEST_F(VisibleNames, BeginWhereverSomebodySays) {
  add_project("b", false, {{.subject = "u", .repository = {}, .permissions = {Permission::kList}}});
  catalog.all = {"a/x", "b", "b/x", "c/x"};
  for (const auto& [last, names] : std::vector<std::pair<std::string, Names>>{{"a", {"b", "b/x"}},
                                                                              {"b", {"b/x"}},
                                                                              {"b-hidden/x", {"b/x"}},
                                                                              {"b/x", {}},
                                                                              {"\xff", {}},
                                                                              {"a\x7f\xff", {"b", "b/x"}}})
    EXPECT_EQ(page(somebody("u"), last, 10).names(), names) << last;
  EXPECT_TRUE(page(somebody("u"), "", 0).names().empty());
}

TEST_F(VisibleNames, CostLittleToWhoSeesLittleOfMuch) {
  for (int project = 0; project < 1000; ++project) {
    const std::string name = "p" + std::to_string(1000 + project);
    for (int i = 0; i < 100; ++i) catalog.all.insert(name + "/r" + std::to_string(i));
    std::vector<Grant> grants{{.subject = "else", .repository = {}, .permissions = {Permission::kList}}};
    if (project % 500 == 250)
      grants.push_back({.subject = "few", .repository = name + "/r1*", .permissions = {Permission::kList}});
    add_project(name, false, grants);
  }
  const NamePage nothing = page(somebody("none"), "", 1000);
  EXPECT_TRUE(nothing.names().empty() && !nothing.more());
  EXPECT_EQ(catalog.asked, 0U);
  const NamePage few = page(somebody("few"), "", 1000);
  EXPECT_EQ(few.names().size(), 22U);
  EXPECT_FALSE(few.more());
  EXPECT_LE(catalog.asked, 4U);
  EXPECT_LE(catalog.looked, 256U);
}

}  // namespace
}  // namespace wherry::registry
