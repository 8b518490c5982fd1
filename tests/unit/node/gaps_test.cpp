#include "node/fill/gaps.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/swarm/torrent.h"

namespace wherry::node {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{64} << 10;
constexpr std::uint64_t kShortPieces = Gaps::kShortestRunKept / kPiece - 1;  // of a run that is not kept

using Runs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // first, and the one behind the last

swarm::PieceSet pieces_of(std::uint64_t size, const Runs& runs) {
  swarm::PieceSet set(static_cast<std::uint32_t>((size + kPiece - 1) / kPiece));
  for (const auto& [first, end] : runs)
    for (std::uint32_t piece = first; piece < end; ++piece) set.add(piece);
  return set;
}

/// "FIRST-END" of each request, in pieces, that brings a blob of so many bytes from that piece on; "FIRST-" for one
/// that is open.
std::string requests_for(std::uint64_t size, const Runs& runs, std::uint64_t from = 0) {
  const swarm::PieceSet set = pieces_of(size, runs);
  const Gaps gaps(size, set);
  std::string requests;
  for (std::uint64_t front = gaps.held_to(from * kPiece); front < size; front = gaps.held_to(front)) {
    const auto end = gaps.fetch_to(front);
    requests += fmt::format("{}{}-", requests.empty() ? "" : " ", front / kPiece);
    if (!end) return requests;
    EXPECT_GT(*end, front);
    requests += std::to_string(*end / kPiece);
    front = *end;
  }
  return requests;
}

TEST(GapsTest, EachGapIsARequestAndWhatIsHeldIsNotAskedFor) {
  ASSERT_EQ(swarm::piece_bytes_for(100 * kPiece), kPiece);
  ASSERT_EQ(kShortPieces, 3u);
  struct Case {
    const char* what;
    Runs runs;
    std::uint64_t from;
    std::string requests;
  };
  const std::vector<Case> cases = {
      {"nothing is held", {}, 0, "0-"},
      {"nothing is held behind the front", {{0, 20}}, 20, "20-"},
      {"one run", {{20, 40}}, 0, "0-20 40-"},
      {"the front lies in a run", {{20, 40}}, 30, "40-"},
      {"two runs, and the end", {{20, 40}, {50, 60}, {80, 100}}, 0, "0-20 40-50 60-80"},
      {"a run that is just long enough", {{20, 24}}, 0, "0-20 24-"},
      {"a run that is too short", {{20, 23}}, 0, "0-"},
      {"short ones around a long one", {{5, 8}, {20, 40}, {50, 52}}, 0, "0-20 40-"},
      {"a short one at the end", {{5, 8}, {99, 100}}, 0, "0-99"},
      {"a short one at the front", {{0, 2}}, 0, "2-"},
      {"a short one that begins where a long one is not far", {{10, 12}, {13, 17}}, 0, "0-13 17-"},
      {"every other piece", {{1, 2}, {3, 4}, {5, 6}, {7, 8}}, 0, "0-"},
      {"all of it", {{0, 100}}, 0, ""},
      {"all but the first", {{1, 100}}, 0, "0-1"},
      {"all but the last", {{0, 99}}, 0, "99-"},
  };
  for (const Case& one : cases) EXPECT_EQ(requests_for(100 * kPiece, one.runs, one.from), one.requests) << one.what;
}

TEST(GapsTest, ALastPieceThatIsShortEndsWithTheBlob) {
  const std::uint64_t size = 99 * kPiece + 100;
  const swarm::PieceSet set = pieces_of(size, {{99, 100}});
  const Gaps gaps(size, set);
  EXPECT_EQ(gaps.fetch_to(5), 99 * kPiece);
  EXPECT_EQ(gaps.held_to(99 * kPiece), size);
  EXPECT_EQ(gaps.held_to(99 * kPiece + 99), size);
  EXPECT_EQ(gaps.held_to(size), size);
  EXPECT_EQ(gaps.next_held(size), std::nullopt);
  EXPECT_EQ(gaps.fetch_to(size), std::nullopt);
}

TEST(GapsTest, AFrontWithinAPieceGoesOnFromThere) {
  const swarm::PieceSet set = pieces_of(100 * kPiece, {{20, 40}});
  const Gaps gaps(100 * kPiece, set);
  EXPECT_EQ(gaps.held_to(20 * kPiece - 1), 20 * kPiece - 1);
  EXPECT_EQ(gaps.next_held(20 * kPiece - 1), 20 * kPiece);
  EXPECT_EQ(gaps.held_to(20 * kPiece + 1), 40 * kPiece);
  EXPECT_EQ(gaps.next_held(20 * kPiece + 1), 20 * kPiece + 1);
  EXPECT_EQ(gaps.next_held(40 * kPiece), std::nullopt);
}

TEST(GapsTest, AFileThatHasNothingBeyondItsFrontLacksAll) {
  const Gaps gaps;
  EXPECT_EQ(gaps.held_to(7), 7u);
  EXPECT_EQ(gaps.next_held(7), std::nullopt);
  EXPECT_EQ(gaps.fetch_to(7), std::nullopt);
}

TEST(GapsTest, RequestsAreFewHoweverPiecesLie) {
  const std::uint64_t size = std::uint64_t{128} << 20;
  for (const std::uint32_t run : {1u, 2u, 3u, 4u, 5u, 16u}) {
    swarm::PieceSet set(2048);
    for (std::uint32_t piece = 1; piece < 2048; ++piece)
      if (piece % (run + 1) != 0) set.add(piece);
    const Gaps gaps(size, set);
    std::uint64_t requests = 0;
    for (std::uint64_t front = 0; front < size; front = gaps.held_to(front), ++requests)
      front = gaps.fetch_to(front).value_or(size);
    EXPECT_LE(requests, size / Gaps::kShortestRunKept) << run;
    if (run <= kShortPieces) {
      EXPECT_EQ(requests, 1u) << run;
    }
  }
}

}  // namespace
}  // namespace wherry::node
