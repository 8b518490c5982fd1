#include "common/swarm/scatter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace wherry::swarm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Two sites; what each misses is kept as the test goes.
class ScatterTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kPieces = 10;

  struct AtSite {
    LeaseBoard board{kPieces};
    Crossing crossing;
    PieceSet missing{kPieces, true};
    bool bridged = true;
  };

  /// "FIRST+COUNT", "none", or "crosses"; who gets it has it at once.
  std::string lease(AtSite& site, std::uint32_t most = 1, bool starved = false) {
    const Scatter::Ask ask{site.missing, kPieces, most, starved, site.bridged};
    const auto answer = scatter_.lease(site.board, site.crossing, ask, now_);
    if (answer.crosses) return "crosses";
    if (!answer.run) return "none";
    site.missing.remove(*answer.run);
    return std::to_string(answer.run->first) + "+" + std::to_string(answer.run->count);
  }

  Scatter scatter_{kPieces};
  AtSite paris_;
  AtSite rome_;
  Monotonic now_ = Monotonic(seconds(1));
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
  EXPECT_EQ(paris_.board.given_again() + rome_.board.given_again(), 0U);
}

TEST_F(ScatterTest, WhatBridgesBringIsNotGivenAsLongAsTheyBringIt) {
  lease(paris_, 6);
  EXPECT_EQ(lease(rome_, 3), "6+3");
  now_ += milliseconds(500);
  rome_.missing.remove(0);  // it came from Paris
  EXPECT_EQ(lease(rome_, 2), "9+1") << "nobody has it yet";
  EXPECT_EQ(lease(rome_, 2), "crosses");
  EXPECT_EQ(lease(rome_, 1, true), "1+1") << "but who is starved does not wait";
  now_ += milliseconds(1000);
  rome_.missing.remove(2);
  rome_.missing.remove(3);
  rome_.missing.remove(4);
  EXPECT_EQ(lease(rome_, 2), "crosses") << "and some more came";
  now_ += milliseconds(1000);
  EXPECT_EQ(lease(rome_, 2), "5+1") << "the last one did not, in time";
}

TEST_F(ScatterTest, EachWaitsForWhatHeHimselfSeesCome) {
  lease(paris_, 10);
  AtSite liar;  // of Rome, too, and asks for little
  std::swap(liar.board, rome_.board);
  EXPECT_EQ(lease(liar), "0+1");
  for (std::uint32_t piece = 3; piece < kPieces; ++piece) liar.missing.remove(piece);
  now_ += milliseconds(500);
  EXPECT_EQ(lease(liar), "crosses");
  std::swap(liar.board, rome_.board);
  EXPECT_EQ(lease(rome_), "1+1");
}

TEST_F(ScatterTest, WhatASiteWithoutBridgesWasGivenNobodyElseWaitsFor) {
  rome_.bridged = false;
  EXPECT_EQ(lease(rome_, 4), "0+4");
  EXPECT_EQ(lease(paris_, 10), "0+10");
  EXPECT_EQ(lease(rome_, 10), "4+6");
}

TEST_F(ScatterTest, WhatDidNotArriveIsGivenToAnySite) {
  EXPECT_EQ(lease(paris_, 10), "0+10");
  scatter_.came_back(paris_.board, {4, 2});
  EXPECT_EQ(lease(rome_, 10), "4+2");
}

TEST_F(ScatterTest, WhoIsStarvedSaysNothingOfWhatComes) {
  lease(paris_, 10);
  EXPECT_EQ(lease(rome_), "0+1");
  rome_.missing.remove(3);  // somebody who sends nothing says that he has it
  EXPECT_EQ(lease(rome_, 1, true), "1+1");
  rome_.missing.add(3);
  EXPECT_EQ(lease(rome_), "2+1");
}

}  // namespace
}  // namespace wherry::swarm
