// The secret that a login by browser gives, in the place of a password.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/identity/oidc_registry.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::identity::oidc {
namespace {

using testing::kind_of;
using testing::OidcRegistry;

auth::LoginAttempt attempt_with(const std::string& name, const std::string& secret) {
  auth::LoginAttempt attempt;
  attempt.name = name;
  attempt.password = secret;
  attempt.remote = "192.0.2.1";
  return attempt;
}

Task<void> use_the_secret(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  const Group testers = co_await registry.add_testers();
  registry.bench.provider.person["groups"] = {"Staff"};
  const std::string secret = co_await registry.secret_by_browser();
  EXPECT_GE(secret.size(), 40u) << secret;
  MasterLogins& logins = registry.identities().logins();
  const auto good = attempt_with("alice", secret);
  auto who = co_await logins.log_in(good);
  EXPECT_TRUE(who);
  if (who) {
    EXPECT_EQ(who->name, "alice");
    EXPECT_EQ(who->groups, std::vector<std::string>{testers.id});
  }
  for (const auto& bad : {attempt_with("admin", secret), attempt_with("nobody", secret), attempt_with("alice", "no"),
                          attempt_with("alice", secret + "x")}) {
    auto refused = co_await logins.log_in(bad);
    EXPECT_EQ(kind_of(refused), ErrorKind::kUnauthorized) << bad.name;
  }
  // Each login gives another one, and those of before hold.
  const std::string another = co_await registry.secret_by_browser();
  EXPECT_NE(another, secret);
  auto still = co_await logins.log_in(good);
  EXPECT_TRUE(still);
  registry.bench.clock.advance(MasterLogins::kForeignSessionLasts);
  auto too_old = co_await logins.log_in(good);
  EXPECT_EQ(kind_of(too_old), ErrorKind::kUnauthorized);
  co_await registry.stop();
}

TEST(OidcSecret, LogsItsOwnerInForHalfADayWithTheGroupsOfTheProvider) {
  const testing::TempDir dir;
  testing::run_task(use_the_secret(dir.path()));
}

enum class Ending { kLogOut, kDisable, kDelete };

Task<void> end_the_secret(const std::string& folder, Ending ending) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  Directory& directory = registry.identities().directory();
  const std::string secret = co_await registry.secret_by_browser();
  const auto good = attempt_with("alice", secret);
  auto who = co_await registry.identities().logins().log_in(good);
  EXPECT_TRUE(who);
  std::string name = "alice";
  Result<void> done;
  registry.bench.clock.advance(std::chrono::seconds(1));
  if (ending == Ending::kLogOut && who) {
    std::string id = who->id;
    done = co_await directory.revoke(std::move(id));
  } else if (ending == Ending::kDisable) {
    const Directory::Change<User> disable = [](User& user) -> Result<void> {
      user.disabled = true;
      return {};
    };
    auto changed = co_await directory.change_user(std::move(name), std::nullopt, disable);
    if (!changed) done = changed.error();
  } else {
    done = co_await directory.delete_user(std::move(name), std::nullopt);
  }
  EXPECT_TRUE(done);
  auto refused = co_await registry.identities().logins().log_in(good);
  EXPECT_EQ(kind_of(refused), ErrorKind::kUnauthorized) << static_cast<int>(ending);
  co_await registry.stop();
}

TEST(OidcSecret, EndsWithALogOutWithADisabledAndWithADeletedUser) {
  for (const Ending ending : {Ending::kLogOut, Ending::kDisable, Ending::kDelete}) {
    const testing::TempDir dir;
    testing::run_task(end_the_secret(dir.path(), ending));
  }
}

Task<void> try_to_stay(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  const std::string secret = co_await registry.secret_by_browser();
  registry.bench.clock.advance(MasterLogins::kForeignSessionLasts / 2);
  auth::TokenRequest by_secret;
  by_secret.credentials = std::pair(std::string("alice"), secret);
  by_secret.wants_refresh_token = true;
  auto first = co_await registry.identities().issuer().issue(by_secret);
  EXPECT_TRUE(first && !first->refresh_token.empty());
  auth::TokenRequest by_token;
  by_token.refresh_token = first ? first->refresh_token : std::string();
  by_token.wants_refresh_token = true;
  auto second = co_await registry.identities().issuer().issue(by_token);
  EXPECT_TRUE(second && !second->refresh_token.empty());
  registry.bench.clock.advance(MasterLogins::kForeignSessionLasts / 2);
  for (const auto* each : {&first, &second}) {
    auth::TokenRequest later;
    later.refresh_token = *each ? (*each)->refresh_token : std::string("none");
    auto refused = co_await registry.identities().issuer().issue(later);
    EXPECT_EQ(kind_of(refused), ErrorKind::kUnauthorized) << "a session outlives the login that it came from";
  }
  co_await registry.stop();
}

TEST(OidcSecret, NoSessionThatCameFromItOutlivesIt) {
  const testing::TempDir dir;
  testing::run_task(try_to_stay(dir.path()));
}

Task<void> guess_secrets(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  const std::string secret = co_await registry.secret_by_browser();
  MasterLogins& logins = registry.identities().logins();
  const auto bad = attempt_with("alice", "wrong");
  for (unsigned i = 0; i <= auth::LoginGuard::kFreeOfBoth; ++i) {
    auto refused = co_await logins.log_in(bad);
    EXPECT_EQ(kind_of(refused), ErrorKind::kUnauthorized) << i;
  }
  auto paused = co_await logins.log_in(bad);
  EXPECT_EQ(kind_of(paused), ErrorKind::kTooManyRequests);
  co_await registry.stop();
  const auto noted = registry.logins_noted();
  EXPECT_EQ(std::ranges::count(noted, "account/alice ok"), 1);
  EXPECT_EQ(std::ranges::count(noted, "account/alice denied"), auth::LoginGuard::kFreeOfBoth + 1);
}

TEST(OidcSecret, IsGuessedNoFasterThanAPasswordAndGuessesAreWrittenDown) {
  const testing::TempDir dir;
  testing::run_task(guess_secrets(dir.path()));
}

}  // namespace
}  // namespace wherry::identity::oidc
