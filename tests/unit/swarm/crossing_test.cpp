#include "common/swarm/crossing.h"

#include <gtest/gtest.h>

namespace wherry::swarm {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kPieces = 1000;
constexpr Monotonic kStart = Monotonic(seconds(1));

class CrossingTest : public ::testing::Test {
 protected:
  /// Of those that another site was given, so many have come by then.
  void came(std::uint32_t count, seconds after) {
    PieceSet missing(kPieces, true);
    for (std::uint32_t piece = 0; piece < count; ++piece) missing.remove(piece);
    crossing_.note(PieceSet(kPieces, true), missing, kStart + after);
  }

  Crossing crossing_{kPieces};
};

TEST_F(CrossingTest, WhatNobodyHasSeenComeIsNotWaitedFor) {
  EXPECT_FALSE(crossing_.is_worth_waiting_for(1, kStart));
  came(0, seconds(0));
  came(0, seconds(20));
  EXPECT_FALSE(crossing_.is_worth_waiting_for(1, kStart + seconds(21)));
  EXPECT_EQ(crossing_.count(), 0U);
}

TEST_F(CrossingTest, WhatComesSoonIsWaitedForAndWhatComesSlowlyIsNot) {
  came(0, seconds(0));
  came(10, seconds(1));
  const Monotonic now = kStart + seconds(1);
  EXPECT_TRUE(crossing_.is_worth_waiting_for(0, now));
  EXPECT_TRUE(crossing_.is_worth_waiting_for(10 * 15, now)) << "within Crossing::kSoon";
  EXPECT_FALSE(crossing_.is_worth_waiting_for(10 * 16, now));
}

TEST_F(CrossingTest, TheLongerASiteHasAskedTheLongerItWaits) {
  for (int second = 0; second <= 20; ++second) came(static_cast<std::uint32_t>(second), seconds(second));
  const Monotonic now = kStart + seconds(20);
  EXPECT_TRUE(crossing_.is_worth_waiting_for(75, now)) << "80 seconds";
  EXPECT_FALSE(crossing_.is_worth_waiting_for(90, now));
}

TEST_F(CrossingTest, WhatCameLongAgoSaysNothing) {
  came(0, seconds(0));
  came(500, seconds(1));
  for (int second = 2; second <= 9; ++second) came(500, seconds(second));
  EXPECT_TRUE(crossing_.is_worth_waiting_for(10, kStart + seconds(9)));
  for (int second = 10; second <= 12; ++second) came(500, seconds(second));
  EXPECT_FALSE(crossing_.is_worth_waiting_for(10, kStart + seconds(12)));
}

TEST_F(CrossingTest, APieceCountsOnceAndOnlyIfAnotherSiteWasGivenIt) {
  PieceSet elsewhere(kPieces);
  elsewhere.add(7);
  crossing_.note(elsewhere, PieceSet(kPieces), kStart);
  crossing_.note(elsewhere, PieceSet(kPieces), kStart);
  EXPECT_EQ(crossing_.count(), 1U);
}

}  // namespace
}  // namespace wherry::swarm
