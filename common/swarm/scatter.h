// Scatter: which piece leaves the parent for which site, so that each leaves it about once for all of them.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "common/swarm/crossing.h"
#include "common/swarm/lease_board.h"
#include "common/swarm/piece_set.h"

namespace wherry::swarm {

/// A site that has bridges is given first what no such site was given. The rest it gets from the others, as long as
/// that comes soon (`Crossing`); else, since sites cannot reach one another, or hardly, the parent sends it as if the
/// site were alone. Of one loop; the simulator runs this code too. O(pieces / 64) an ask, O(pieces) when all were
/// given.
class Scatter {
 public:
  /// Who asks, and for what.
  struct Ask {
    const PieceSet& missing;  ///< what nobody of his site, as far as he knows, holds
    std::uint32_t there;      ///< so many pieces, from the first on, are here to be given
    std::uint32_t most;       ///< at once
    bool starved;             ///< as of a LeaseBoard
    bool bridged;             ///< his site has bridges
  };
  struct Answer {
    std::optional<PieceRun> run;
    bool crosses = false;  ///< nothing, for what is missing comes from other sites
  };

  explicit Scatter(std::uint32_t pieces) : never_given_(pieces, true) {}

  /// `board`: of his site; `crossing`: his own.
  Answer lease(LeaseBoard& board, Crossing& crossing, const Ask& ask, Monotonic now);
  /// It did not arrive: the next one who asks may have it.
  void came_back(LeaseBoard& board, PieceRun run);

 private:
  Answer lease_bridged(LeaseBoard& board, Crossing& crossing, const Ask& ask, Monotonic now) const;

  PieceSet never_given_;  // to any site with bridges
};

}  // namespace wherry::swarm
