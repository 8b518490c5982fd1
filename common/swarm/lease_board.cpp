#include "common/swarm/lease_board.h"

namespace wherry::swarm {

std::optional<PieceRun> LeaseBoard::lease(const PieceSet& missing, std::uint32_t there, std::uint32_t most,
                                          bool starved, Monotonic now) {
  const auto fits = [&](std::uint32_t piece) { return piece < there && missing.has(piece) && never_given_.has(piece); };
  for (std::uint32_t piece = never_given_.next(0); piece < there; piece = never_given_.next(piece + 1)) {
    if (!missing.has(piece)) continue;
    std::uint32_t count = 1;
    while (count < most && fits(piece + count)) ++count;
    return give(piece, count, now);
  }
  if (!starved) return std::nullopt;
  for (std::uint32_t piece = missing.next(0); piece < there; piece = missing.next(piece + 1)) {
    if (now - given_at_[piece] < kSpreadTime) continue;
    return give(piece, 1, now);
  }
  return std::nullopt;
}

PieceRun LeaseBoard::give(std::uint32_t first, std::uint32_t count, Monotonic now) {
  for (std::uint32_t piece = first; piece < first + count; ++piece) {
    if (!never_given_.has(piece)) ++again_;
    never_given_.remove(piece);
    given_at_[piece] = now;
  }
  given_ += count;
  return {first, count};
}

void LeaseBoard::came_back(PieceRun run) { never_given_.add(run); }

}  // namespace wherry::swarm
