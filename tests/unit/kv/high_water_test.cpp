#include "common/kv/high_water.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::kv {
namespace {

using wherry::testing::kind_of;
using wherry::testing::read_file;
using wherry::testing::write_file;

constexpr std::size_t kSlotDistance = 4096;

class HighWaterTest : public ::testing::Test {
 protected:
  std::unique_ptr<HighWater> open(const Mark& mark) {
    auto opened = HighWater::open(path, mark);
    EXPECT_TRUE(opened) << opened.error().to_string();
    return std::move(*opened);
  }
  std::optional<Mark> read() { return HighWater::read(path).value(); }

  testing::TempDir dir;
  const std::string path = dir / "names.mark";
};

TEST_F(HighWaterTest, NoFileIsNoMark) { EXPECT_EQ(read(), std::nullopt); }

TEST_F(HighWaterTest, WhatWasWrittenLastIsRead) {
  auto high_water = open({7, {}});
  EXPECT_EQ(read(), (Mark{7, {}}));
  high_water->advance(8);
  EXPECT_EQ(read(), (Mark{8, {}})) << "also before a sync: a crash of the process keeps what was written";
  high_water->set_manifest({3, 400, 5});
  EXPECT_EQ(read(), (Mark{8, {3, 400, 5}}));
  for (std::uint64_t sequence = 9; sequence < 30; ++sequence) {
    high_water->advance(sequence);
    EXPECT_EQ(read(), (Mark{sequence, {3, 400, 5}}));
  }
  high_water->advance(12);
  EXPECT_EQ(read()->sequence, 29) << "it does not go back";
  EXPECT_TRUE(high_water->sync());
}

TEST_F(HighWaterTest, ANewOneGoesOnFromTheOldFileEvenWithALowerMark) {
  open({100, {3, 400, 5}})->advance(120);
  auto next = open({90, {}});
  EXPECT_EQ(read(), (Mark{90, {}}));
  next->advance(91);
  EXPECT_EQ(read(), (Mark{91, {}}));
}

TEST_F(HighWaterTest, AnyFlippedBitAndAnyTornWriteLeavesTheMarkBeforeItAndNeverAWrongOne) {
  auto high_water = open({1, {2, 3, 4}});
  high_water->advance(5);
  high_water->advance(6);
  const std::string good = read_file(path);
  const Mark older{5, {2, 3, 4}}, newer{6, {2, 3, 4}};
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    if (bit % (kSlotDistance * 8) >= 64 * 8) continue;  // between the slots is nothing
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    write_file(path, bad);
    const auto mark = read();
    ASSERT_TRUE(mark == older || mark == newer) << bit;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    write_file(path, good.substr(0, size));
    const auto mark = read();
    ASSERT_TRUE(!mark || mark == older || mark == newer) << size;
  }
  write_file(path, std::string(good.size(), '\0'));
  EXPECT_EQ(read(), std::nullopt);
}

TEST_F(HighWaterTest, ADamagedFileIsWrittenAnew) {
  write_file(path, "something else");
  EXPECT_EQ(read(), std::nullopt);
  open({4, {}});
  EXPECT_EQ(read(), (Mark{4, {}}));
}

TEST_F(HighWaterTest, AFolderOrALinkInItsPlaceIsAnError) {
  std::filesystem::create_symlink("/dev/null", path);
  EXPECT_EQ(kind_of(HighWater::open(path, {})), ErrorKind::kIo);
  EXPECT_EQ(kind_of(HighWater::read(path)), ErrorKind::kIo);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_EQ(kind_of(HighWater::open(path, {})), ErrorKind::kIo);
}

}  // namespace
}  // namespace wherry::kv
