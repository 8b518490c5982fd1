// Gaps: what a blob's file lacks, where a swarm that gives nothing any more brought pieces of it in any order.
#pragma once

#include <cstdint>
#include <optional>

#include "common/swarm/piece_set.h"

namespace wherry::node {

/// A look at the pieces that are in the file and right, as long as those live. Pure.
class Gaps {
 public:
  /// A run of pieces that is shorter is fetched over with what lies around it, for each gap is a request of its own:
  /// in a round trip of a tenth of a second so much comes on a link of 20 Mbit/s. It is not more, for pieces that came
  /// in any order lie in short runs, and those who have swarms have thin links. One that reaches the blob's end saves
  /// bytes and costs no request, however short it is. So a blob takes one request for each kShortestRunKept of it, at
  /// the very most.
  static constexpr std::uint64_t kShortestRunKept = std::uint64_t{256} << 10;

  Gaps() = default;  ///< of a file that has nothing beyond its front
  Gaps(std::uint64_t size, const swarm::PieceSet& pieces);

  /// How far on it goes from `offset` with what is held; `offset` when that byte is not.
  std::uint64_t held_to(std::uint64_t offset) const;
  /// Where what is held begins, at `offset` or behind it; nothing when none of it is.
  std::optional<std::uint64_t> next_held(std::uint64_t offset) const;
  /// Up to where a source is asked for what is missing at `offset`; nothing: up to the blob's end.
  std::optional<std::uint64_t> fetch_to(std::uint64_t offset) const;

 private:
  std::uint64_t size_ = 0;
  std::uint64_t piece_bytes_ = 1;
  const swarm::PieceSet* pieces_ = nullptr;
};

}  // namespace wherry::node
