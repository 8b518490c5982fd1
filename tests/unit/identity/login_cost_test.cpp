// What a login costs does not tell which names there are, nor how near a secret was.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/auth/password_hash.h"
#include "common/auth/signed_request.h"
#include "master/identity/oidc/cookie.h"
#include "master/nodes/node_book.h"
#include "tests/unit/identity/oidc_registry.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/support/watched_crypto.h"

namespace wherry::identity {
namespace {

using testing::kind_of;
using testing::OidcRegistry;
using testing::WatchedCrypto;

const std::string kRightPassword = "correct horse battery";

struct CostlyLogin {
  std::string name;
  std::string password;
};

auth::LoginAttempt attempt_of(const CostlyLogin& login) {
  auth::LoginAttempt attempt;
  attempt.name = login.name;
  attempt.password = login.password;
  attempt.remote = "192.0.2.1";
  return attempt;
}

/// Local users "dev" and "former" with kRightPassword and robots "team+ci" and "team+off"; the latter are disabled.
Task<void> settle_in(OidcRegistry& registry, std::string* robot_secret) {
  Directory& directory = registry.identities().directory();
  for (const char* name : {"dev", "former"}) {
    User user;
    user.name = name;
    user.password_hash = auth::hash_password(kRightPassword);
    user.disabled = user.name == "former";
    auto made = co_await directory.create_user(user);
    EXPECT_TRUE(made);
  }
  Project team;
  team.name = "team";
  auto project = co_await directory.create_project(team);
  EXPECT_TRUE(project);
  if (!project) co_return;
  *robot_secret = auth::random_secret();
  for (const char* name : {"team+ci", "team+off"}) {
    Robot robot;
    robot.name = name;
    robot.project = project->id;
    robot.disabled = robot.name == "team+off";
    Robot::Secret secret;
    secret.hash = auth::secret_hash_of(*robot_secret);
    robot.secrets.push_back(secret);
    const std::vector<GrantRecord> none;
    auto made = co_await directory.create_robot(robot, none);
    EXPECT_TRUE(made) << made.error().to_string();
  }
}

/// Logs in with each, all of which must be refused with the same words; gives what each hashed.
Task<std::vector<std::vector<std::uint64_t>>> costs_of(OidcRegistry& registry, const std::vector<CostlyLogin>& logins) {
  std::vector<std::vector<std::uint64_t>> costs;
  std::vector<std::string> words;
  for (const CostlyLogin& login : logins) {
    const auto attempt = attempt_of(login);
    WatchedCrypto watched;
    auto who = co_await registry.identities().logins().log_in(attempt);
    EXPECT_EQ(kind_of(who), ErrorKind::kUnauthorized) << login.name;
    if (who) continue;
    words.push_back(who.error().message());
    EXPECT_EQ(words.back(), words.front()) << login.name;
    costs.push_back(watched.hashed());
  }
  co_return costs;
}

Task<void> log_in_wrongly(const std::string& folder) {
  OidcRegistry registry(folder);
  const oidc::OidcService::Place place;
  co_await registry.start(place);
  std::string robot_secret;
  co_await settle_in(registry, &robot_secret);
  const std::string session = co_await registry.secret_by_browser();
  const std::vector<CostlyLogin> people = {{"nobody", kRightPassword}, {"dev", "wrong"},   {"former", kRightPassword},
                                           {"former", "wrong"},        {"alice", "wrong"}, {"dev", session},
                                           {"admin", "wrong"},         {"nobody", session}};
  const auto costs_of_people = co_await costs_of(registry, people);
  for (const auto& hashed : costs_of_people)
    EXPECT_EQ(hashed, std::vector<std::uint64_t>{1 << 15}) << "a name is told apart by time";
  // Their secrets have 256 random bits, of which a hash is compared: nothing is to be made slow.
  const std::vector<CostlyLogin> robots = {
      {"robot$team+none", robot_secret}, {"robot$team+ci", "wrong"}, {"robot$team+off", robot_secret}};
  const auto costs_of_robots = co_await costs_of(registry, robots);
  for (const auto& hashed : costs_of_robots) EXPECT_TRUE(hashed.empty());
  co_await registry.stop();
}

TEST(LoginCost, OneHashForWhoeverIsNotLetInAndTheSameWords) {
  const testing::TempDir dir;
  testing::run_task(log_in_wrongly(dir.path()));
}

Task<void> show_near_secrets(const std::string& folder) {
  OidcRegistry registry(folder);
  const oidc::OidcService::Place place;
  co_await registry.start(place);
  std::string secret;
  co_await settle_in(registry, &secret);
  for (const bool is_first : {true, false}) {
    std::string near = secret;
    (is_first ? near.front() : near.back()) ^= 1;
    const CostlyLogin login{"robot$team+ci", near};
    const auto attempt = attempt_of(login);
    WatchedCrypto watched;
    auto who = co_await registry.identities().logins().log_in(attempt);
    EXPECT_FALSE(who);
    EXPECT_EQ(watched.compared(), std::vector<std::size_t>{64});
  }
  co_await registry.stop();
}

TEST(LoginCost, ASecretOfARobotIsComparedAsAWhole) {
  const testing::TempDir dir;
  testing::run_task(show_near_secrets(dir.path()));
}

TEST(LoginCost, TheStateOfALoginByBrowserIsComparedAsAWhole) {
  const oidc::StateCookie cookie(false);
  const std::string state(64, 'a');
  for (const std::string& shown : {state, "b" + state.substr(1), state.substr(1) + "b"}) {
    const std::string header = "wherry-login=" + shown;
    http::Request request;
    request.header_list[0] = {"Cookie", header};
    request.header_count = 1;
    WatchedCrypto watched;
    EXPECT_EQ(cookie.is_of(request, state), shown == state);
    EXPECT_EQ(watched.compared(), std::vector<std::size_t>{64});
  }
}

Task<void> prove_nearly(const std::string& folder) {
  Pool disk("disk", 1);
  auto store = kv::RocksKeyValue::open(folder + "/kv", disk, {});
  auto authority = auth::NodeAuthority::load_or_make(folder + "/ca.pem");
  EXPECT_TRUE(store && authority);
  master::NodeBook book(**store, std::move(*authority), "feed-key", false, Clock::system());
  std::string name = "paris";
  std::vector<std::string> projects;
  std::string site;
  auto token = co_await book.add(std::move(name), std::move(projects), std::move(site));
  EXPECT_TRUE(token);
  const std::string after_name = token->substr(std::string("wjt1.paris.").size());
  const std::string secret = after_name.substr(0, after_name.find('.'));
  const std::string request = auth::NodeKey::make().certificate_request("paris");
  const std::string right = auth::join_proof(auth::secret_hash_of(secret), request);
  for (const std::string& proof : {"x" + right.substr(1), right.substr(0, right.size() - 1) + "x", right}) {
    WatchedCrypto watched;
    std::string joining = "paris";
    std::string shown = proof;
    std::string pem = request;
    auto joined = co_await book.join(std::move(joining), std::move(shown), std::move(pem));
    EXPECT_EQ(joined.has_value(), proof == right);
    EXPECT_EQ(watched.compared(), std::vector<std::size_t>{right.size()});
  }
}

TEST(LoginCost, TheProofOfAJoinTokenIsComparedAsAWhole) {
  const testing::TempDir dir;
  testing::run_task(prove_nearly(dir.path()));
}

}  // namespace
}  // namespace wherry::identity
