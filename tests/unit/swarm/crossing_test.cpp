#include "common/swarm/crossing.h"

#include <gtest/gtest.h>

namespace wherry::swarm {
namespace {

using std::chrono::seconds;

class CrossingTest : public ::testing::Test {
 protected:
  static constexpr Monotonic kStart = Monotonic(seconds(1));

  void near(std::uint32_t count, int second) { crossing_.note(count, kStart + seconds(second)); }
  bool waits_for(std::uint32_t count, int second) {
    return crossing_.is_worth_waiting_for(count, kStart + seconds(second));
  }

  Crossing crossing_;
};

TEST_F(CrossingTest, WhatDoesNotComeIsNotWaitedFor) {
  near(0, 0);
  EXPECT_FALSE(waits_for(1, 0));
  near(0, 3);
  EXPECT_FALSE(waits_for(1, 3));
}

TEST_F(CrossingTest, WhatWasNearFromTheBeginningDidNotCome) {
  near(500, 0);
  near(500, 1);
  EXPECT_FALSE(waits_for(1, 1));
  near(501, 2);
  EXPECT_TRUE(waits_for(1, 2));
}

TEST_F(CrossingTest, WhatComesIsWaitedForATryAndThenIfItComesSoon) {
  for (int second = 0; second <= 40; ++second) near(static_cast<std::uint32_t>(second), second);
  EXPECT_TRUE(waits_for(1000, 40)) << "what the parent sent was in its way until now";
  for (int second = 41; second < 45; ++second) {
    near(40 + 10 * static_cast<std::uint32_t>(second - 40), second);
    EXPECT_TRUE(waits_for(1000, second));
  }
  near(90, 45);
  EXPECT_TRUE(waits_for(350, 45)) << "ten a second for the 35 s that are left";
  EXPECT_FALSE(waits_for(351, 45));
}

TEST_F(CrossingTest, NobodyWaitsLongerThanItTookUntilHeHadTo) {
  for (int second = 0; second <= 40; ++second) near(static_cast<std::uint32_t>(second), second);
  EXPECT_TRUE(waits_for(1, 40));
  for (int second = 41; second <= 79; ++second) near(static_cast<std::uint32_t>(second), second);
  EXPECT_TRUE(waits_for(1, 79));
  near(80, 80);
  EXPECT_FALSE(waits_for(1, 80)) << "not even for the last one";
  near(81, 81);
  EXPECT_FALSE(waits_for(1, 81));
}

TEST_F(CrossingTest, WhoHasHadAllTheParentHasAtOnceWaitsASecondOrTwo) {
  near(0, 0);
  EXPECT_FALSE(waits_for(1000, 0));
  near(10, 1);
  EXPECT_TRUE(waits_for(1000, 1));
  near(20, 2);
  EXPECT_TRUE(waits_for(10, 2));
  EXPECT_FALSE(waits_for(11, 2));
  near(30, 3);
  EXPECT_FALSE(waits_for(1, 3));
}

TEST_F(CrossingTest, WhatCameLongAgoSaysNothing) {
  for (int second = 0; second <= 100; ++second) near(static_cast<std::uint32_t>(second), second);
  EXPECT_TRUE(waits_for(10, 100));
  for (int second = 101; second <= 104; ++second) near(500, second);
  EXPECT_TRUE(waits_for(10, 106));
  for (int second = 105; second <= 112; ++second) near(500, second);
  EXPECT_FALSE(waits_for(10, 112));
}

TEST_F(CrossingTest, WhatIsAskedForAllTheSameWentNowhere) {
  for (int second = 0; second <= 40; ++second) near(static_cast<std::uint32_t>(10 * second), second);
  EXPECT_TRUE(waits_for(100, 40));
  near(450, 45);
  near(390, 46);
  EXPECT_TRUE(waits_for(100, 46));
}

TEST_F(CrossingTest, WhoDidNotAskForLongBeginsAnew) {
  for (int second = 0; second <= 40; ++second) near(static_cast<std::uint32_t>(second), second);
  near(100, 80);
  EXPECT_FALSE(waits_for(1, 80)) << "those did not come just now";
  near(110, 81);
  EXPECT_TRUE(waits_for(10, 81));
  near(110, 84);
  EXPECT_FALSE(waits_for(1, 84)) << "it took a second until now, not eighty";
}

}  // namespace
}  // namespace wherry::swarm
