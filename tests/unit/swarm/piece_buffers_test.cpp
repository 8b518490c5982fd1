#include "common/swarm/piece_buffers.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/bytes.h"
#include "common/swarm/merkle.h"

namespace wherry::swarm {
namespace {

constexpr std::uint32_t kPieceOfThree = 3 * kLeafBytes;

std::string block_of(char byte, std::size_t size = kLeafBytes) { return std::string(size, byte); }

TEST(PieceBuffers, APieceIsWholeOnceAllItsBlocksCameInWhateverOrder) {
  PieceBuffers buffers;
  EXPECT_TRUE(buffers.put(1, 7, kPieceOfThree, 2 * kLeafBytes, as_bytes(block_of('c'))));
  EXPECT_TRUE(buffers.put(1, 7, kPieceOfThree, 0, as_bytes(block_of('x'))));
  // Once more: it counts once, and as it came last.
  EXPECT_TRUE(buffers.put(1, 7, kPieceOfThree, 0, as_bytes(block_of('a'))));
  EXPECT_TRUE(buffers.put(2, 7, kPieceOfThree, kLeafBytes, as_bytes(block_of('y'))));  // another torrent's
  EXPECT_EQ(buffers.bytes(), 2 * kPieceOfThree);
  EXPECT_TRUE(buffers.put(1, 7, kPieceOfThree, kLeafBytes, as_bytes(block_of('b'))));
  const auto whole = buffers.take(1, 7);
  ASSERT_TRUE(whole.has_value());
  EXPECT_TRUE(whole->is_whole());
  EXPECT_TRUE(as_text(whole->bytes()) == block_of('a') + block_of('b') + block_of('c'));
  EXPECT_FALSE(buffers.take(1, 7).has_value());
  EXPECT_EQ(buffers.bytes(), kPieceOfThree);
}

TEST(PieceBuffers, WhatIsNotWholeGivesTheBlocksThatCame) {
  PieceBuffers buffers;
  EXPECT_TRUE(buffers.put(1, 0, kPieceOfThree, 2 * kLeafBytes, as_bytes(block_of('c'))));
  EXPECT_TRUE(buffers.put(1, 0, kPieceOfThree, 0, as_bytes(block_of('a'))));
  const auto part = buffers.take(1, 0);
  ASSERT_TRUE(part.has_value());
  EXPECT_FALSE(part->is_whole());
  const auto blocks = part->blocks();
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[0].start, 0U);
  EXPECT_TRUE(as_text(blocks[0].bytes) == block_of('a'));
  EXPECT_EQ(blocks[1].start, 2 * kLeafBytes);
  EXPECT_TRUE(as_text(blocks[1].bytes) == block_of('c'));
}

TEST(PieceBuffers, TheLastBlockOfABlobIsShort) {
  PieceBuffers buffers;
  constexpr std::uint32_t kShort = kLeafBytes + 5;
  EXPECT_TRUE(buffers.put(1, 0, kShort, 0, as_bytes(block_of('a'))));
  EXPECT_TRUE(buffers.put(1, 0, kShort, kLeafBytes, as_bytes(block_of('b', 5))));
  const auto whole = buffers.take(1, 0);
  ASSERT_TRUE(whole.has_value());
  EXPECT_TRUE(whole->is_whole());
  EXPECT_TRUE(as_text(whole->bytes()) == block_of('a') + block_of('b', 5));
}

TEST(PieceBuffers, WhatIsNoBlockOfThePieceIsNotTaken) {
  PieceBuffers buffers;
  EXPECT_FALSE(buffers.put(1, 0, kPieceOfThree, kPieceOfThree, as_bytes(block_of('a'))));
  EXPECT_FALSE(buffers.put(1, 0, kPieceOfThree, 1, as_bytes(block_of('a'))));
  EXPECT_FALSE(buffers.put(1, 0, kPieceOfThree, 0, as_bytes(block_of('a', kLeafBytes - 1))));
  EXPECT_FALSE(buffers.put(1, 0, kPieceOfThree, 0, as_bytes(block_of('a', 2 * kLeafBytes))));
  EXPECT_EQ(buffers.bytes(), 0U);
  EXPECT_FALSE(buffers.take(1, 0).has_value());
}

TEST(PieceBuffers, PiecesBeyondTheBoundFindNoRoomAndThoseThatAreHereGoOn) {
  PieceBuffers buffers;
  constexpr std::uint32_t kLarge = 1 << 20;
  for (std::uint32_t piece = 0; piece < PieceBuffers::kMostBytes / kLarge; ++piece)
    EXPECT_TRUE(buffers.put(1, piece, kLarge, 0, as_bytes(block_of('a')))) << piece;
  EXPECT_FALSE(buffers.put(1, 1000, kLarge, 0, as_bytes(block_of('a'))));
  EXPECT_TRUE(buffers.put(1, 0, kLarge, kLeafBytes, as_bytes(block_of('b'))));
  EXPECT_TRUE(buffers.take(1, 0).has_value());
  EXPECT_TRUE(buffers.put(1, 1000, kLarge, 0, as_bytes(block_of('a'))));
  buffers.drop(1);
  EXPECT_EQ(buffers.bytes(), 0U);
}

}  // namespace
}  // namespace wherry::swarm
