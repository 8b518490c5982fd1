#include "common/auth/login_guard.h"

#include <gtest/gtest.h>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry::auth {
namespace {

using testing::kind_of;

struct LoginGuardTest : ::testing::Test {
  testing::TurnedClock clock;
  LoginGuard guard{clock};

  void be_wrong(unsigned times, const std::string& account, const std::string& address) {
    for (unsigned i = 0; i < times; ++i) guard.was_wrong(account, address);
  }
};

TEST_F(LoginGuardTest, SomeMistakesAreFree) {
  be_wrong(LoginGuard::kFreeOfBoth, "alice", "a");
  EXPECT_TRUE(guard.check("alice", "a"));
  guard.was_wrong("alice", "a");
  const auto refused = guard.check("alice", "a");
  ASSERT_EQ(kind_of(refused), ErrorKind::kTooManyRequests);
  EXPECT_EQ(refused.error().retry_after(), std::chrono::seconds(1));
}

TEST_F(LoginGuardTest, WhoTriesFromElsewhereDoesNotLockTheOwnerOut) {
  be_wrong(LoginGuard::kFreeOfBoth + 5, "alice", "evil");
  EXPECT_FALSE(guard.check("alice", "evil"));
  EXPECT_TRUE(guard.check("alice", "home"));
}

TEST_F(LoginGuardTest, PausesDoubleUpToTheLongest) {
  be_wrong(LoginGuard::kFreeOfBoth + 4, "alice", "a");
  EXPECT_EQ(guard.check("alice", "a").error().retry_after(), std::chrono::seconds(8));
  clock.advance(std::chrono::seconds(8));
  EXPECT_TRUE(guard.check("alice", "a"));
  be_wrong(60, "alice", "a");
  EXPECT_LE(guard.check("alice", "a").error().retry_after(), LoginGuard::kLongestPause);
}

TEST_F(LoginGuardTest, OtherSpellingsOfANameAreNoOtherAccount) {
  be_wrong(LoginGuard::kFreeOfBoth - 2, "alice", "a");
  for (const char* name : {"Alice", "ALICE", " alice  "}) guard.was_wrong(name, "a");
  EXPECT_FALSE(guard.check("alice", "a"));
  EXPECT_FALSE(guard.check("aliCE", "a"));
  EXPECT_TRUE(guard.check("al ice", "a"));
}

TEST_F(LoginGuardTest, BeingRightClearsOnesOwnMistakes) {
  be_wrong(LoginGuard::kFreeOfBoth, "alice", "a");
  guard.was_right("alice", "a");
  be_wrong(LoginGuard::kFreeOfBoth, "alice", "a");
  EXPECT_TRUE(guard.check("alice", "a"));
}

TEST_F(LoginGuardTest, OneAddressDoesNotTryManyAccounts) {
  for (unsigned i = 0; i <= LoginGuard::kFreeOfAddress; ++i) guard.was_wrong("user" + std::to_string(i), "a");
  EXPECT_FALSE(guard.check("somebody-else", "a"));
  EXPECT_TRUE(guard.check("somebody-else", "b"));
}

TEST_F(LoginGuardTest, ManyAddressesDoNotTryOneAccount) {
  for (unsigned i = 0; i <= LoginGuard::kFreeOfAccount; ++i) guard.was_wrong("alice", "a" + std::to_string(i));
  EXPECT_FALSE(guard.check("alice", "home"));
}

TEST_F(LoginGuardTest, WhoWasRightFromThereIsNotKeptOutByOthers) {
  guard.was_right("alice", "proxy");
  for (unsigned i = 0; i <= LoginGuard::kFreeOfAddress; ++i) guard.was_wrong("user" + std::to_string(i), "proxy");
  for (unsigned i = 0; i <= LoginGuard::kFreeOfAccount; ++i) guard.was_wrong("alice", "a" + std::to_string(i));
  EXPECT_TRUE(guard.check("alice", "proxy"));
  EXPECT_FALSE(guard.check("bob", "proxy"));
  be_wrong(LoginGuard::kFreeOfBoth + 1, "alice", "proxy");
  EXPECT_FALSE(guard.check("alice", "proxy"));
}

TEST_F(LoginGuardTest, ClientsBehindANodeCountOnePerOne) {
  for (unsigned i = 0; i <= LoginGuard::kFreeOfAddress; ++i) guard.was_wrong("user" + std::to_string(i), "a", "paris");
  EXPECT_FALSE(guard.check("somebody-else", "a", "paris"));
  EXPECT_TRUE(guard.check("somebody-else", "b", "paris"));
  EXPECT_TRUE(guard.check("somebody-else", "a", "oslo"));
  EXPECT_TRUE(guard.check("somebody-else", "a"));
}

TEST_F(LoginGuardTest, ANodeThatMakesUpAddressesGainsARateOfThem) {
  const auto guess = [&](unsigned i) { guard.was_wrong("user" + std::to_string(i), "a" + std::to_string(i), "paris"); };
  guard.was_right("alice", "home", "paris");
  for (unsigned i = 0; i < LoginGuard::kFreeOfNode; ++i) guess(i);
  EXPECT_TRUE(guard.check("somebody-else", "new", "paris"));
  guess(LoginGuard::kFreeOfNode);
  const auto refused = guard.check("somebody-else", "new", "paris");
  ASSERT_EQ(kind_of(refused), ErrorKind::kTooManyRequests);
  EXPECT_EQ(refused.error().retry_after(), LoginGuard::kNodeForgets);
  EXPECT_TRUE(guard.check("somebody-else", "new", "oslo"));
  EXPECT_TRUE(guard.check("somebody-else", "new"));
  EXPECT_TRUE(guard.check("alice", "home", "paris")) << "who was right from there goes on";
  clock.advance(LoginGuard::kNodeForgets);
  EXPECT_TRUE(guard.check("somebody-else", "new", "paris"));
  guess(LoginGuard::kFreeOfNode + 1);
  EXPECT_FALSE(guard.check("somebody-else", "newer", "paris"));
}

TEST_F(LoginGuardTest, OneClientThatErrsForEverKeepsNobodyElseBehindItsNodeOut) {
  for (unsigned days = 0, at = 0; days < 30; ++at) {
    if (auto may = guard.check("user" + std::to_string(at), "a", "paris"); may)
      guard.was_wrong("user" + std::to_string(at), "a", "paris");
    else
      clock.advance(*may.error().retry_after());
    if (at % 200 == 0) ++days;
    ASSERT_TRUE(guard.check("somebody-else", "b", "paris"));
  }
}

TEST_F(LoginGuardTest, TheAddressesOfASiteCountAsOne) {
  for (unsigned i = 0; i <= LoginGuard::kFreeOfAddress; ++i)
    guard.was_wrong("user" + std::to_string(i), "[2001:db8:1:2::" + std::to_string(i) + "]");
  EXPECT_FALSE(guard.check("somebody-else", "[2001:db8:1:2:ffff::1]"));
  EXPECT_TRUE(guard.check("somebody-else", "[2001:db8:1:3::1]"));
}

}  // namespace
}  // namespace wherry::auth
