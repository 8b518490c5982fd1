#include "node/fill/gaps.h"

#include <algorithm>

#include "common/swarm/torrent.h"

namespace wherry::node {

Gaps::Gaps(std::uint64_t size, const swarm::PieceSet& pieces)
    : size_(size), piece_bytes_(swarm::piece_bytes_for(size)), pieces_(&pieces) {}

std::uint64_t Gaps::held_to(std::uint64_t offset) const {
  if (pieces_ == nullptr || offset >= size_) return offset;
  auto piece = static_cast<std::uint32_t>(offset / piece_bytes_);
  if (!pieces_->has(piece)) return offset;
  while (piece < pieces_->pieces() && pieces_->has(piece)) ++piece;
  return std::min(piece * piece_bytes_, size_);
}

std::optional<std::uint64_t> Gaps::next_held(std::uint64_t offset) const {
  if (pieces_ == nullptr || offset >= size_) return std::nullopt;
  const std::uint32_t piece = pieces_->next(static_cast<std::uint32_t>(offset / piece_bytes_));
  if (piece == pieces_->pieces()) return std::nullopt;
  return std::max(offset, piece * piece_bytes_);
}

std::optional<std::uint64_t> Gaps::fetch_to(std::uint64_t offset) const {
  while (const auto held = next_held(offset)) {
    offset = held_to(*held);
    if (offset - *held >= kShortestRunKept || offset == size_) return held;
  }
  return std::nullopt;
}

}  // namespace wherry::node
