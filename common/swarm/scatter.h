// Scatter: which piece leaves the parent for which site, so that each leaves it about once for all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "common/swarm/crossing.h"
#include "common/swarm/lease_board.h"
#include "common/swarm/piece_set.h"

namespace wherry::swarm {

/// A site is given first what no site was given. The rest it gets from the others by its bridges, as long as they bring
/// it (`Crossing`); while they do not, because the sites cannot reach one another or hardly, the parent sends that,
/// too, as if the site were alone: bridges spare the parent, and nobody waits for them. Of one loop; the simulator runs
/// this code too. O(pieces / 64) an ask, O(pieces) when all were given.
class Scatter {
 public:
  /// What a site was given, and what came to it otherwise.
  class Site {
   public:
    explicit Site(std::uint32_t pieces) : board_(pieces), crossing_(pieces) {}
    const LeaseBoard& board() const { return board_; }
    const Crossing& crossing() const { return crossing_; }

   private:
    friend class Scatter;
    LeaseBoard board_;
    Crossing crossing_;
  };

  explicit Scatter(std::uint32_t pieces) : never_given_(pieces, true) {}

  /// As of a LeaseBoard; `missing`: what nobody of the asker's site, as far as he knows, holds.
  std::optional<PieceRun> lease(Site& site, const PieceSet& missing, std::uint32_t there, std::uint32_t most,
                                bool starved, Monotonic now);
  /// It did not arrive: the next one who asks may have it.
  void came_back(Site& site, PieceRun run);

 private:
  std::optional<PieceRun> lease_of(Site& site, const PieceSet& missing, std::uint32_t there, std::uint32_t most,
                                   bool starved, Monotonic now);

  PieceSet never_given_;  // to any site
};

}  // namespace wherry::swarm
