#include "common/swarm/piece_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "common/base/base64.h"

namespace wherry::swarm {
namespace {

TEST(PieceSet, HoldsWhatWasAddedAndNotWhatWasRemoved) {
  std::mt19937_64 random(7);
  for (const std::uint32_t pieces : {1U, 7U, 63U, 64U, 65U, 128U, 1000U}) {
    PieceSet set(pieces);
    std::set<std::uint32_t> expected;
    for (int step = 0; step < 2000; ++step) {
      const auto piece = static_cast<std::uint32_t>(random() % pieces);
      if (random() % 3 != 0) {
        EXPECT_EQ(set.add(piece), expected.insert(piece).second);
      } else {
        set.remove(piece);
        expected.erase(piece);
      }
      ASSERT_EQ(set.count(), expected.size());
    }
    for (std::uint32_t from = 0; from <= pieces + 1; ++from) {
      const auto next = expected.lower_bound(from);
      ASSERT_EQ(set.next(from), next == expected.end() ? pieces : *next) << pieces;
    }
  }
}

TEST(PieceSet, OneOfAllPiecesLacksNone) {
  for (const std::uint32_t pieces : {1U, 63U, 64U, 65U, 1000U}) {
    PieceSet set(pieces, true);
    EXPECT_EQ(set.count(), pieces);
    for (std::uint32_t piece = 0; piece < pieces; ++piece) EXPECT_TRUE(set.has(piece)) << piece;
    set.remove(pieces - 1);
    EXPECT_EQ(set.count(), pieces - 1);
    EXPECT_EQ(set.next(pieces - 1), pieces);
  }
  EXPECT_EQ(PieceSet().next(0), 0U);
}

TEST(PieceSet, ATextGivesBackWhatItWasMadeOf) {
  std::mt19937_64 random(7);
  for (std::uint32_t pieces = 0; pieces < 200; ++pieces) {
    PieceSet set(pieces);
    for (std::uint32_t piece = 0; piece < pieces; ++piece)
      if (random() % 2 != 0) set.add(piece);
    const auto read = PieceSet::decode(set.encode(), pieces);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->count(), set.count());
    for (std::uint32_t piece = 0; piece < pieces; ++piece) EXPECT_EQ(read->has(piece), set.has(piece));
  }
}

TEST(PieceSet, AreCombinedPieceByPieceAndCounted) {
  std::mt19937_64 random(9);
  for (std::uint32_t pieces = 1; pieces < 150; ++pieces) {
    PieceSet one(pieces);
    PieceSet other(pieces);
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      if (random() % 2 != 0) one.add(piece);
      if (random() % 2 != 0) other.add(piece);
    }
    PieceSet both = one;
    PieceSet without = one;
    both &= other;
    without -= other;
    std::uint32_t in_both = 0;
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      ASSERT_EQ(both.has(piece), one.has(piece) && other.has(piece));
      ASSERT_EQ(without.has(piece), one.has(piece) && !other.has(piece));
      if (both.has(piece)) ++in_both;
    }
    EXPECT_EQ(both.count(), in_both);
    EXPECT_EQ(without.count(), one.count() - in_both);
  }
}

TEST(PieceSet, ARunIsAddedAndRemovedPieceByPiece) {
  PieceSet set(100);
  set.add(PieceRun{60, 10});
  set.add(PieceRun{65, 10});
  EXPECT_EQ(set.count(), 15U);
  EXPECT_EQ(set.next(0), 60U);
  set.remove(PieceRun{55, 10});
  EXPECT_EQ(set.count(), 10U);
  EXPECT_EQ(set.next(0), 65U);
  set.add(PieceRun{3, 0});
  EXPECT_EQ(set.count(), 10U);
}

TEST(PieceSet, TheFirstPieceIsTheLowestBitOfTheFirstByte) {
  PieceSet set(10);
  set.add(0);
  set.add(9);
  EXPECT_EQ(set.encode(), to_base64(std::string("\x01\x02")));
}

TEST(PieceSet, TextsThatAreNoneOfSoManyPiecesAreNone) {
  const std::string right = PieceSet(20, true).encode();
  EXPECT_TRUE(PieceSet::decode(right, 20));
  EXPECT_FALSE(PieceSet::decode(right, 16)) << "a byte too many";
  EXPECT_FALSE(PieceSet::decode(right, 25)) << "a byte too few";
  for (const auto* text :
       {"", "A", "====", "AAA", "AA=A", "*AAA", "AAAA AAAA", "AAAAAAAA", "AAAA=", "\xff\xff\xff\xff"})
    EXPECT_FALSE(PieceSet::decode(text, 20)) << text;
  EXPECT_FALSE(PieceSet::decode(std::string_view("\0\0\0\0", 4), 20));
}

TEST(PieceSet, BitsPastTheLastPieceAreNoPieces) {
  const auto set = PieceSet::decode(to_base64("\xff\xff"), 9);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->count(), 9U);
  EXPECT_EQ(set->count(), 9U);
  EXPECT_EQ(set->encode(), PieceSet(9, true).encode());
}

}  // namespace
}  // namespace wherry::swarm
