#include "common/store/space.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry::store {
namespace {

using wherry::testing::kind_of;
using wherry::testing::TurnedClock;

constexpr std::uint64_t operator""_MiB(unsigned long long count) { return count << 20; }

class SpaceGuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options.probe = [this]() -> Result<Space> {
      ++looks;
      return Space{total, free};
    };
    options.clock = &clock;
    options.ballast_bytes = 1_MiB;
  }
  void open() { guard = SpaceGuard::open(dir.path(), options).value(); }
  bool ballast_there() const { return std::filesystem::exists(dir / "ballast"); }

  testing::TempDir dir;
  TurnedClock clock;
  SpaceOptions options;
  std::uint64_t total = 100000_MiB;
  std::uint64_t free = 50000_MiB;
  int looks = 0;
  std::unique_ptr<SpaceGuard> guard;
};

TEST_F(SpaceGuardTest, TheMarksFollowTheSizeOfTheFileSystem) {
  open();
  EXPECT_EQ(guard->low_water_bytes(), 256_MiB);
  EXPECT_EQ(guard->metadata_reserve_bytes(), 64_MiB);
  total = 1000_MiB;
  open();
  EXPECT_EQ(guard->low_water_bytes(), 50_MiB);
}

TEST_F(SpaceGuardTest, ContentIsRefusedWhenItWouldPassTheMark) {
  free = 300_MiB;
  open();
  EXPECT_TRUE(guard->admit(44_MiB));
  const auto refused = guard->admit(44_MiB + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(kind_of(refused), ErrorKind::kNoSpace);
  EXPECT_NE(refused.error().message().find("256 MiB"), std::string::npos);
  EXPECT_FALSE(guard->admit(UINT64_MAX));
}

TEST_F(SpaceGuardTest, FarFromTheMarkALookServesMany) {
  open();
  looks = 0;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(guard->admit(1000));
  EXPECT_EQ(looks, 0);
  clock.advance(std::chrono::milliseconds(101));
  EXPECT_TRUE(guard->admit(1000));
  EXPECT_EQ(looks, 1);
}

TEST_F(SpaceGuardTest, WhatWasPromisedIsNotPromisedTwice) {
  free = 1000_MiB;
  open();
  looks = 0;
  EXPECT_TRUE(guard->admit(600_MiB));
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(guard->space().free_bytes, 400_MiB);
  free = 400_MiB;
  EXPECT_FALSE(guard->admit(200_MiB));
}

TEST_F(SpaceGuardTest, NearTheMarkADiskThatFillsIsSeenAtOnceAndSoIsOneThatEmpties) {
  free = 260_MiB;
  open();
  EXPECT_TRUE(guard->admit(1_MiB));
  free = 200_MiB;
  EXPECT_FALSE(guard->admit(1));
  free = 10000_MiB;
  EXPECT_TRUE(guard->admit(1_MiB)) << "no restart, no waiting";
}

TEST_F(SpaceGuardTest, ADiskThatFillsSuddenlyIsSeenWithinATenthOfASecond) {
  open();
  EXPECT_TRUE(guard->admit(1));
  free = 0;
  clock.advance(std::chrono::milliseconds(101));
  EXPECT_FALSE(guard->admit(1));
}

TEST_F(SpaceGuardTest, MetadataMayGoOnWhereContentMayNot) {
  free = 100_MiB;
  open();
  EXPECT_FALSE(guard->admit(1));
  EXPECT_TRUE(guard->admit_metadata());
  free = 63_MiB;
  EXPECT_FALSE(guard->admit_metadata());
  free = 64_MiB;
  EXPECT_TRUE(guard->admit_metadata());
}

TEST_F(SpaceGuardTest, TheBallastIsGivenUpForMetadataAndMadeAgainWhenThereIsPlenty) {
  open();
  ASSERT_TRUE(ballast_there());
  EXPECT_EQ(std::filesystem::file_size(dir / "ballast"), 1_MiB);
  options.probe = [this]() -> Result<Space> { return Space{total, free + (ballast_there() ? 0 : 1_MiB)}; };
  free = 63_MiB + 1000;
  open();
  EXPECT_FALSE(ballast_there());
  EXPECT_TRUE(guard->admit_metadata()) << "the ballast's room serves";
  free = 257_MiB - 1;
  clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(guard->maintain());
  EXPECT_TRUE(ballast_there()) << "257 MiB with the room of the ballast itself";
}

TEST_F(SpaceGuardTest, TheBallastIsNotMadeWhereItsRoomIsNeeded) {
  free = 257_MiB;
  open();
  EXPECT_FALSE(ballast_there());
  free = 257_MiB + 1;
  EXPECT_TRUE(guard->maintain());
  EXPECT_TRUE(guard->has_ballast());
}

TEST_F(SpaceGuardTest, ABallastOfAnEarlierRunIsKnown) {
  open();
  open();
  EXPECT_TRUE(guard->has_ballast());
}

TEST_F(SpaceGuardTest, TheRealFileSystemAnswers) {
  guard = SpaceGuard::open(dir.path(), {.low_water_bytes = 0, .ballast_bytes = 0, .probe = {}}).value();
  EXPECT_GT(guard->space().free_bytes, 0u);
  EXPECT_TRUE(guard->admit(1));
  EXPECT_FALSE(SpaceGuard::open(dir / "none", {}));
}

}  // namespace
}  // namespace wherry::store
