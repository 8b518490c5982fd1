#include "common/swarm/lease_board.h"

#include <gtest/gtest.h>

#include <string>

namespace wherry::swarm {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kPieces = 100;
constexpr Monotonic kStart{};

/// "FIRST+COUNT", or "none".
std::string text_of(const std::optional<PieceRun>& run) {
  return run ? std::to_string(run->first) + "+" + std::to_string(run->count) : "none";
}

class LeaseBoardTest : public ::testing::Test {
 protected:
  std::string lease(std::uint32_t most = 1, Monotonic now = kStart) {
    return text_of(board_.lease(missing_, kPieces, most, true, now));
  }
  void give_all(Monotonic now = kStart) {
    while (!board_.all_given()) ASSERT_TRUE(board_.lease(missing_, kPieces, kPieces, false, now));
  }

  LeaseBoard board_{kPieces};
  PieceSet missing_{kPieces, true};
};

TEST_F(LeaseBoardTest, EachPieceIsGivenOnceAndInOrderToThoseWhoMissAll) {
  for (std::uint32_t piece = 0; piece < kPieces; ++piece) {
    EXPECT_FALSE(board_.all_given());
    EXPECT_EQ(lease(), std::to_string(piece) + "+1");
  }
  EXPECT_TRUE(board_.all_given());
  EXPECT_EQ(lease(), "none");
  EXPECT_EQ(board_.given(), kPieces);
  EXPECT_EQ(board_.given_again(), 0U);
}

TEST_F(LeaseBoardTest, SeveralAtOnceAreNextToOneAnotherAndNoMoreThanAskedFor) {
  EXPECT_EQ(lease(3), "0+3");
  missing_.remove(3);
  missing_.remove(7);
  EXPECT_EQ(lease(10), "4+3") << "one that he has ends it";
  EXPECT_EQ(lease(2), "8+2");
  EXPECT_EQ(lease(kPieces), "10+90");
  missing_.add(3);
  missing_.add(7);
  EXPECT_EQ(lease(10), "3+1") << "what was given to others ends it";
  EXPECT_EQ(lease(10), "7+1");
  EXPECT_EQ(board_.given(), kPieces);
}

TEST_F(LeaseBoardTest, WhatSomebodyNearHasIsNotGivenBeforeSomebodyMissesIt) {
  missing_ = PieceSet(kPieces);
  missing_.add(41);
  EXPECT_EQ(lease(8), "41+1");
  EXPECT_EQ(lease(8), "none");
  EXPECT_FALSE(board_.all_given());
  missing_ = PieceSet(kPieces);
  EXPECT_EQ(lease(8, kStart + LeaseBoard::kSpreadTime), "none") << "who misses nothing is given nothing";
}

TEST_F(LeaseBoardTest, OnlyWhatIsThereIsGiven) {
  EXPECT_EQ(text_of(board_.lease(missing_, 0, 4, true, kStart)), "none");
  EXPECT_EQ(text_of(board_.lease(missing_, 3, 2, true, kStart)), "0+2");
  EXPECT_EQ(text_of(board_.lease(missing_, 3, 2, true, kStart)), "2+1");
  EXPECT_EQ(text_of(board_.lease(missing_, 3, 2, true, kStart)), "none");
  EXPECT_EQ(text_of(board_.lease(missing_, 5, 8, true, kStart)), "3+2");
  EXPECT_EQ(text_of(board_.lease(missing_, 2, 8, true, kStart + LeaseBoard::kSpreadTime)), "0+1") << "again, too";
}

TEST_F(LeaseBoardTest, APieceIsGivenAgainOnlyWhenItHasNotSpreadInItsTime) {
  give_all();
  EXPECT_EQ(lease(1, kStart + LeaseBoard::kSpreadTime - milliseconds(1)), "none");
  EXPECT_EQ(board_.given_again(), 0U);
  const Monotonic late = kStart + LeaseBoard::kSpreadTime;
  missing_ = PieceSet(kPieces);
  missing_.add(5);
  missing_.add(9);
  EXPECT_EQ(lease(8, late), "5+1");
  EXPECT_EQ(lease(8, late), "9+1");
  EXPECT_EQ(lease(8, late), "none") << "the others have spread, and these have their time anew";
  EXPECT_EQ(lease(8, late + LeaseBoard::kSpreadTime - milliseconds(1)), "none");
  EXPECT_EQ(lease(8, late + LeaseBoard::kSpreadTime), "5+1");
  EXPECT_EQ(board_.given(), kPieces + 3);
  EXPECT_EQ(board_.given_again(), 3U);
}

TEST_F(LeaseBoardTest, NothingIsGivenAgainToWhomOthersStillSend) {
  const Monotonic late = kStart + 2 * LeaseBoard::kSpreadTime;
  EXPECT_EQ(text_of(board_.lease(missing_, kPieces, 90, false, kStart)), "0+90");
  EXPECT_EQ(text_of(board_.lease(missing_, kPieces, 90, false, late)), "90+10") << "what nobody has yet, he is given";
  EXPECT_EQ(text_of(board_.lease(missing_, kPieces, 90, false, late)), "none");
  EXPECT_EQ(text_of(board_.lease(missing_, kPieces, 90, true, late)), "0+1");
}

TEST_F(LeaseBoardTest, WhatWasNeverGivenGoesBeforeWhatIsGivenAgain) {
  for (int i = 0; i < 50; ++i) lease();
  EXPECT_EQ(lease(1, kStart + 2 * LeaseBoard::kSpreadTime), "50+1");
}

TEST_F(LeaseBoardTest, WhatDidNotArriveIsGivenToTheNextWhoAsks) {
  EXPECT_EQ(lease(8), "0+8");
  board_.came_back({2, 3});
  EXPECT_EQ(lease(8), "2+3");
  EXPECT_EQ(lease(8), "8+8");
  give_all();
  board_.came_back({kPieces - 1, 1});
  EXPECT_FALSE(board_.all_given());
  EXPECT_EQ(lease(8), "99+1");
}

}  // namespace
}  // namespace wherry::swarm
