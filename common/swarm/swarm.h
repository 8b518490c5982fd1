// Swarm: one blob's swarm as its parent knows it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/async/semaphore.h"
#include "common/base/clock.h"
#include "common/oci/reference.h"
#include "common/swarm/askers.h"
#include "common/swarm/neighbourhood.h"
#include "common/swarm/scatter.h"
#include "common/swarm/torrent_book.h"

namespace wherry::swarm {

class Transfer;

/// Who takes part, by site, and what has left the parent. Of one loop.
struct Swarm {
  static constexpr std::size_t kSendsAtOnce = 4;                            ///< the first who waits is to have his soon
  static constexpr std::size_t kMostSites = 256;                            ///< who names another one beyond is of none
  static constexpr std::uint64_t kMostLeaseBytes = std::uint64_t{1} << 20;  ///< at once, to who is alone

  /// A lease is at most one part of so many of what its taker was given before: from one piece on it grows by a
  /// quarter.
  static constexpr std::uint32_t kGrowth = 4;

  struct Member {
    std::string node;
    std::string site;
    RepositoryName repository;  ///< by which it may read the blob
    std::int64_t asked_in = 0;  ///< the second in which it last asked for a lease
    std::uint32_t given = 0;    ///< pieces, by leases
    Crossing crossing = {};
  };

  /// The nodes of one site.
  struct Site {
    explicit Site(std::uint32_t pieces) : board(pieces) {}
    LeaseBoard board;
    std::uint64_t leased_bytes = 0;  ///< that were sent
    std::optional<Monotonic> holders_called_at;
  };

  /// In an epoch of its parent's, by a new name.
  Swarm(SharedTorrent of, std::uint64_t in_epoch);

  /// Of those that it has; who names one that is too many is of none.
  std::string site_for(const std::string& named);
  /// Who shows that takes part no more.
  void leave(const std::string& shown);
  /// The same for those who have not been heard for Neighbourhood::kSilence.
  void forget_silent(Monotonic now);
  /// What was leased to somebody of that site did not arrive.
  void came_back(const std::string& site, PieceRun run) { scatter.came_back(sites.at(site).board, run); }
  /// How many pieces that one may have at once: the fewer ask, the more each of them. It begins with one: who is first
  /// by a moment would have so many that all others have to get from him alone.
  std::uint32_t most_for(Member& member, Monotonic now);

  const SharedTorrent torrent;
  const std::uint64_t epoch;
  const std::string name;
  Neighbourhood neighbours;
  Scatter scatter;
  std::map<std::string, Site> sites;
  std::unordered_map<std::string, Member> members;  ///< by what they show
  Semaphore sends{kSendsAtOnce};
  bool is_scattered = false;  ///< something was sent
  std::uint32_t here = 0;     ///< pieces from the first on that can be given
  std::weak_ptr<Transfer> coming_by;
  std::size_t looking = 0;  ///< who waits for those that cannot yet
  Askers askers;
};

}  // namespace wherry::swarm
