#include "common/auth/policy.h"

#include <gtest/gtest.h>

#include "common/auth/password_hash.h"
#include "common/auth/visitor.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::auth {
namespace {

using enum Permission;
using testing::kind_of;

Identity somebody(std::string id, std::vector<std::string> groups = {}) {
  Identity who;
  who.kind = Identity::Kind::kUser;
  who.id = std::move(id);
  who.groups = std::move(groups);
  return who;
}

struct PolicyTest : ::testing::Test {
  Policy policy;
  PolicyTest() {
    const ProjectPolicy team("p-1", false,
                             {{.subject = "u-1", .repository = {}, .permissions = {kList, kPull}},
                              {.subject = "g-1", .repository = "team/a/**", .permissions = {kPush}}});
    EXPECT_TRUE(policy.set_project("team", team.to_json()));
    EXPECT_TRUE(policy.set_project("open", ProjectPolicy("p-2", true, {}).to_json()));
    const ProjectPolicy system("system", false,
                               {{.subject = "u-9", .repository = {}, .permissions = Permissions::all()}});
    EXPECT_TRUE(policy.set(kSystemPolicy, system.to_json()));
    EXPECT_TRUE(policy.set(kAccessPolicy, AccessSettings().to_json()));
  }
};

TEST_F(PolicyTest, GrantsAreOfTheirSubjectsAndRepositories) {
  EXPECT_EQ(policy.allowed(somebody("u-1"), "team/x"), (Permissions{kList, kPull}));
  EXPECT_EQ(policy.allowed(somebody("u-1", {"g-1"}), "team/a/x"), (Permissions{kList, kPull, kPush}));
  EXPECT_EQ(policy.allowed(somebody("u-2", {"g-1"}), "team/b"), Permissions());
  EXPECT_EQ(policy.allowed(somebody("u-2"), "team/x"), Permissions());
  EXPECT_EQ(policy.allowed(somebody("u-1"), "other/x"), Permissions());
  EXPECT_EQ(policy.allowed(somebody("u-9"), "anything/x"), Permissions::all());
  EXPECT_EQ(policy.allowed(Identity(), "team/x"), Permissions());
  EXPECT_EQ(policy.allowed(Identity(), "open/x"), (Permissions{kList, kPull}));
  EXPECT_EQ(policy.allowed(Identity(), "open"), (Permissions{kList, kPull}));
}

TEST_F(PolicyTest, NodesReadTheirProjectsAlone) {
  Identity node;
  node.kind = Identity::Kind::kNode;
  node.projects = {"te*"};
  EXPECT_EQ(policy.allowed(node, "team/x"), (Permissions{kList, kPull}));
  EXPECT_EQ(policy.allowed(node, "other/x"), Permissions());
  node.projects.clear();
  EXPECT_EQ(policy.allowed(node, "other/x"), (Permissions{kList, kPull}));
}

TEST_F(PolicyTest, WhatWasShownBeforeARevocationDoesNotCount) {
  EXPECT_TRUE(*policy.set("access.revoked.u-1", R"({"before_ms":1000})"));
  EXPECT_TRUE(policy.is_revoked("u-1", from_millis(1000)));
  EXPECT_FALSE(policy.is_revoked("u-1", from_millis(1001)));
  EXPECT_FALSE(policy.is_revoked("u-2", from_millis(0)));
  EXPECT_TRUE(policy.remove("access.revoked.u-1"));
  EXPECT_FALSE(policy.is_revoked("u-1", from_millis(0)));
}

TEST_F(PolicyTest, WhatCannotBeReadChangesNothing) {
  for (const char* json : {"", "[]", "{}", R"({"id":"p-1"})", R"({"id":"","grants":[]})", R"({"id":"p","grants":[1]})",
                           R"({"id":"p","grants":[{"permissions":["repository.pull"]}]})"})
    EXPECT_EQ(kind_of(policy.set_project("team", json)), ErrorKind::kInvalid) << json;
  EXPECT_EQ(kind_of(policy.set(kAccessPolicy, R"({"keys":[{"kty":"oct"}]})")), ErrorKind::kInvalid);
  EXPECT_TRUE(policy.is_known());
  EXPECT_EQ(policy.project("team")->id(), "p-1");
  EXPECT_FALSE(*policy.set("something.else", "1"));
}

TEST_F(PolicyTest, APermissionOfALaterVersionGrantsNothing) {
  ASSERT_TRUE(policy.set_project(
      "new",
      R"({"id":"p-3","public":false,"grants":[{"subject":"u-1","permissions":["repository.pull","moon.fly"]}]})"));
  EXPECT_EQ(policy.allowed(somebody("u-1"), "new/x"), Permissions{kPull});
}

TEST_F(PolicyTest, ATokenIsForWhatItWasAskedFor) {
  const auto shared = std::make_shared<const Policy>(policy);
  Claims claims;
  claims.who = somebody("u-1");
  claims.access.push_back({.scope = *Scope::parse("repository:team/x:pull"), .project_id = "p-1"});
  const Visitor visitor(shared, std::make_shared<const Claims>(claims));
  EXPECT_EQ(visitor.may(kPull, "team/x"), Visitor::May::kYes);
  EXPECT_EQ(visitor.may(kPull, "team/y"), Visitor::May::kWithAnotherToken);
  EXPECT_EQ(visitor.may(kPush, "team/x"), Visitor::May::kNo);
  EXPECT_EQ(visitor.may(kPull, "open/x"), Visitor::May::kYes);
  EXPECT_EQ(Visitor::everyone().may(kDelete, "any"), Visitor::May::kYes);
  EXPECT_EQ(Visitor(shared, nullptr).may(kPull, "team/x"), Visitor::May::kNo);
}

TEST(Scope, IsReadWithColonsInItsName) {
  const auto scope = Scope::parse("repository:host:5000/team/app:pull,push");
  ASSERT_TRUE(scope);
  EXPECT_EQ(scope->name, "host:5000/team/app");
  EXPECT_TRUE(scope->has(Scope::Action::kPull) && scope->has(Scope::Action::kPush));
  EXPECT_FALSE(scope->has(Scope::Action::kDelete));
  EXPECT_EQ(scope->to_string(), "repository:host:5000/team/app:pull,push");
  for (const char* text : {"", "repository", "repository:x", "a::b", ":", "repository::pull"})
    EXPECT_FALSE(Scope::parse(text)) << text;
  EXPECT_EQ(Scope::parse_all("repository:a:pull  junk repository:b:pull").size(), 2U);
  EXPECT_LE(Scope::parse_all(std::string(100'000, ' ') + "repository:a:pull").size(), Scope::kMostScopes);
}

TEST(Permissions, HaveNamesThatAreReadBack) {
  for (const std::string& name : Permissions::all().names()) {
    ASSERT_TRUE(permission_named(name)) << name;
    EXPECT_EQ(name_of(*permission_named(name)), name);
  }
  EXPECT_FALSE(permission_named("all"));
  for (const BuiltInRole& role : built_in_roles()) EXPECT_TRUE(kOfProjects.has_all(role.permissions)) << role.name;
}

TEST(PasswordHash, FitsItsPasswordAlone) {
  const std::string hash = hash_password("correct horse battery");
  EXPECT_TRUE(hash.starts_with("$scrypt$ln=15,r=8,p=1$"));
  EXPECT_NE(hash, hash_password("correct horse battery"));
  EXPECT_TRUE(password_fits("correct horse battery", hash));
  EXPECT_FALSE(password_fits("correct horse batterz", hash));
  EXPECT_FALSE(password_fits("", hash));
  for (const char* bad : {"", "$scrypt$", "$scrypt$ln=60,r=8,p=1$AAAA$AAAA", "$scrypt$ln=0,r=8,p=1$AAAA$AAAA", "x"})
    EXPECT_FALSE(password_fits("", bad)) << bad;
}

TEST(PasswordHash, PasswordsThatKeepNobodyOutAreRefused) {
  for (const char* bad : {"", "short", "aaaaaaaaaaaa", "someone@here", "with\nline end"})
    EXPECT_FALSE(check_new_password(bad, "someone@here")) << bad;
  EXPECT_FALSE(check_new_password(std::string(257, 'a') + "b", "x"));
  EXPECT_TRUE(check_new_password("correct horse battery", "x"));
  EXPECT_TRUE(check_new_password(random_password(), "x"));
  EXPECT_NE(random_password(), random_password());
}

}  // namespace
}  // namespace wherry::auth
