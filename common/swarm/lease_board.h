// LeaseBoard: which piece a parent sends to whom, so that each leaves it about once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/swarm/piece_set.h"

namespace wherry::swarm {

/// Gives each who asks the next piece, in order, that nobody near him holds and that was not given to anybody lately:
/// they hand it on to one another. One that did not spread within its time is given again, but only to whom nobody
/// sends anything: how long a piece may take to come round depends on links and on how many they are, and no time is
/// right for all (5 s gave 4 copies to 1,000 nodes behind a parent with ten times their link), but who still gets
/// pieces from others will get that one, too. Of the nodes of one site, of one loop; the simulator runs this code too.
/// O(pieces / 64) an ask, O(pieces) when all were given.
class LeaseBoard {
 public:
  /// So long a piece that was given has at least to come round to all.
  static constexpr std::chrono::milliseconds kSpreadTime{5'000};

  explicit LeaseBoard(std::uint32_t pieces) : given_at_(pieces), never_given_(pieces, true) {}

  /// `missing`: what nobody near the asker holds; `there`: so many pieces, from the first on, are here to be given;
  /// `most`: at once; `starved`: nothing is on its way to the asker, and nothing came from a neighbour for a second, if
  /// it has any. Nothing when there is none to give now.
  std::optional<PieceRun> lease(const PieceSet& missing, std::uint32_t there, std::uint32_t most, bool starved,
                                Monotonic now);
  /// It did not arrive: the next one who asks may have it.
  void came_back(PieceRun run);

  /// Pieces that were given, each time counted.
  std::uint64_t given() const { return given_; }
  /// Of those: once more.
  std::uint64_t given_again() const { return again_; }
  bool all_given() const { return never_given_.count() == 0; }
  const PieceSet& never_given() const { return never_given_; }

 private:
  PieceRun give(std::uint32_t first, std::uint32_t count, Monotonic now);

  std::vector<Monotonic> given_at_;
  PieceSet never_given_;
  std::uint64_t given_ = 0;
  std::uint64_t again_ = 0;
};

}  // namespace wherry::swarm
