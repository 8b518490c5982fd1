// Users whom another server vouches for: who they are here from one login to the next.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/async/scope.h"
#include "tests/unit/identity/oidc_registry.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::identity {
namespace {

using testing::kind_of;
using testing::OidcRegistry;

MasterLogins::Person person(const std::string& id, const std::vector<std::string>& names) {
  MasterLogins::Person person;
  person.external_id = id;
  person.name = names.front();
  person.names = names;
  return person;
}

/// "ID NAME" of who was let in, or why not.
Task<std::string> login_of(OidcRegistry& registry, MasterLogins::Person* who) {
  auto let_in = co_await registry.identities().logins().admit(Source::kLdap, *who);
  if (!let_in) co_return let_in.error().message();
  co_return let_in->id + " " + let_in->name;
}

Task<void> store_login(OidcRegistry& registry, MasterLogins::Person* who, std::string* into) {
  *into = co_await login_of(registry, who);
}

class ForeignUsers : public ::testing::Test {
 protected:
  using Story = Task<void> (*)(OidcRegistry&);
  void tell(Story story) { testing::run_task(told(story, dir_.path())); }

 private:
  static Task<void> told(Story story, std::string folder) {
    OidcRegistry registry(folder);
    const oidc::OidcService::Place place;
    co_await registry.start(place);
    co_await story(registry);
    co_await registry.stop();
  }
  const testing::TempDir dir_;
};

Task<void> add_user(OidcRegistry& registry, User* user) {
  auto made = co_await registry.identities().directory().create_user(*user);
  EXPECT_TRUE(made);
}

Task<void> come_for_the_first_time_twice(OidcRegistry& registry) {
  MasterLogins::Person as_robin = person("7", {"robin", "robin.hood"});
  MasterLogins::Person as_hood = person("7", {"robin.hood", "robin"});
  User other;
  other.name = "other";
  std::string first;
  std::string second;
  Scope scope;
  scope.spawn(add_user(registry, &other));  // so that both find nobody, and wait
  scope.spawn(store_login(registry, &as_robin, &first));
  scope.spawn(store_login(registry, &as_hood, &second));
  co_await scope.join();
  EXPECT_EQ(first, second);
  EXPECT_TRUE(first.ends_with(" robin")) << first;
}
TEST_F(ForeignUsers, WhoComesForTheFirstTimeTwiceAtOnceIsOneUser) { tell(come_for_the_first_time_twice); }

Task<void> be_renamed(OidcRegistry& registry) {
  MasterLogins::Person dora = person("7", {"dora"});
  const std::string before = co_await login_of(registry, &dora);
  MasterLogins::Person married = person("7", {"dora.new"});
  std::string first;
  std::string second;
  Scope scope;
  scope.spawn(store_login(registry, &married, &first));
  scope.spawn(store_login(registry, &married, &second));
  co_await scope.join();
  EXPECT_EQ(first, before + ".new");
  EXPECT_EQ(second, first);
  MasterLogins::Person next = person("8", {"dora"});
  const std::string other = co_await login_of(registry, &next);
  EXPECT_TRUE(other.ends_with(" dora") && other != before) << other;
}
TEST_F(ForeignUsers, WhoIsRenamedIsTheSameAndLeavesTheOldNameToOthers) { tell(be_renamed); }

Task<void> be_called_as_somebody_is(OidcRegistry& registry) {
  User local;
  local.name = "local";
  co_await add_user(registry, &local);
  const std::string id = registry.identities().directory().users().named("local")->id;
  MasterLogins::Person dora = person("7", {"dora"});
  const std::string before = co_await login_of(registry, &dora);
  MasterLogins::Person as_local = person("7", {"local"});
  EXPECT_EQ(co_await login_of(registry, &as_local), before);
  MasterLogins::Person stranger = person("8", {"local"});
  EXPECT_EQ(co_await login_of(registry, &stranger), "name or password is wrong");
  const User* kept = registry.identities().directory().users().named("local");
  EXPECT_TRUE(kept != nullptr && kept->id == id);
}
TEST_F(ForeignUsers, ANameThatAnotherUserHasIsNotTakenOver) { tell(be_called_as_somebody_is); }

Task<void> be_disabled_and_renamed(OidcRegistry& registry) {
  MasterLogins::Person dora = person("7", {"dora"});
  const std::string before = co_await login_of(registry, &dora);
  EXPECT_TRUE(before.ends_with(" dora"));
  Directory::Change<User> disable = [](User& user) -> Result<void> {
    user.disabled = true;
    return {};
  };
  std::string name = "dora";
  auto disabled = co_await registry.identities().directory().change_user(name, std::nullopt, disable);
  EXPECT_TRUE(disabled);
  MasterLogins::Person married = person("7", {"dora.new"});
  EXPECT_EQ(co_await login_of(registry, &married), "name or password is wrong");
}
TEST_F(ForeignUsers, WhoIsDisabledStaysSoByAnotherName) { tell(be_disabled_and_renamed); }

Task<void> rename_nobody(OidcRegistry& registry) {
  Directory& directory = registry.identities().directory();
  std::string id = "u-none";
  std::string name = "dora";
  auto renamed = co_await directory.rename_user(id, name);
  EXPECT_EQ(kind_of(renamed), ErrorKind::kNotFound);
}
TEST_F(ForeignUsers, WhoIsDeletedMeanwhileIsNotRenamed) { tell(rename_nobody); }

}  // namespace
}  // namespace wherry::identity
