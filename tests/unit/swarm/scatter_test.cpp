#include "common/swarm/scatter.h"

#include <gtest/gtest.h>

#include <string>

namespace wherry::swarm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kPieces = 10;
constexpr Monotonic kStart = Monotonic(seconds(1));

/// Two sites; what each misses is kept as the test goes.
class ScatterTest : public ::testing::Test {
 protected:
  struct AtSite {
    Scatter::Site given{kPieces};
    PieceSet missing{kPieces, true};
  };

  /// "FIRST+COUNT", or "none"; who gets it has it at once.
  std::string lease(AtSite& site, std::uint32_t most = 1, bool starved = false) {
    const auto run = scatter_.lease(site.given, site.missing, kPieces, most, starved, now_);
    if (!run) return "none";
    for (std::uint32_t piece = run->first; piece < run->first + run->count; ++piece) site.missing.remove(piece);
    return std::to_string(run->first) + "+" + std::to_string(run->count);
  }

  Scatter scatter_{kPieces};
  AtSite paris_;
  AtSite rome_;
  Monotonic now_ = kStart;
};

TEST_F(ScatterTest, ASiteThatIsAloneIsGivenAllInOrder) {
  EXPECT_EQ(lease(paris_, 4), "0+4");
  EXPECT_EQ(lease(paris_, 4), "4+4");
  EXPECT_EQ(lease(paris_, 4), "8+2");
  EXPECT_EQ(lease(paris_), "none");
}

TEST_F(ScatterTest, EachSiteIsGivenFirstWhatNoSiteWasGiven) {
  EXPECT_EQ(lease(paris_, 3), "0+3");
  EXPECT_EQ(lease(rome_, 2), "3+2");
  EXPECT_EQ(lease(paris_, 4), "5+4");
  EXPECT_EQ(lease(rome_, 4), "9+1");
}

TEST_F(ScatterTest, SitesThatDoNotReachOneAnotherAreGivenAllAtOnceAllTheSame) {
  EXPECT_EQ(lease(paris_, 6), "0+6");
  EXPECT_EQ(lease(rome_, 6), "6+4");
  EXPECT_EQ(lease(rome_, 10), "0+6");
  EXPECT_EQ(lease(paris_, 10), "6+4");
  EXPECT_EQ(lease(paris_, 10), "none");
  EXPECT_EQ(paris_.given.board().given_again() + rome_.given.board().given_again(), 0U);
}

TEST_F(ScatterTest, WhatBridgesBringIsNotGivenAsLongAsTheyBringIt) {
  lease(paris_, 6);
  EXPECT_EQ(lease(rome_, 3), "6+3");
  now_ += milliseconds(500);
  rome_.missing.remove(0);  // it came from Paris
  EXPECT_EQ(lease(rome_, 2), "9+1") << "nobody has it yet";
  EXPECT_EQ(lease(rome_, 2), "none");
  EXPECT_EQ(rome_.given.crossing().count(), 1U);
  EXPECT_EQ(lease(rome_, 1, true), "1+1") << "but who is starved does not wait";
  now_ += Crossing::kMark;
  EXPECT_EQ(lease(rome_, 2), "none") << "one came a moment ago";
  now_ += Crossing::kMark;
  EXPECT_EQ(lease(rome_, 2), "2+2") << "nothing came since";
}

TEST_F(ScatterTest, WhatDidNotArriveIsGivenToAnySite) {
  EXPECT_EQ(lease(paris_, 10), "0+10");
  scatter_.came_back(paris_.given, {4, 2});
  EXPECT_EQ(lease(rome_, 10), "4+2");
}

TEST_F(ScatterTest, WhoIsStarvedIsNoWitness) {
  lease(paris_, 10);
  rome_.missing.remove(3);  // somebody who sends nothing says that he has it
  EXPECT_EQ(lease(rome_, 1, true), "0+1");
  EXPECT_EQ(rome_.given.crossing().count(), 0U);
}

}  // namespace
}  // namespace wherry::swarm
