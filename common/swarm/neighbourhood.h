// Neighbourhood: who takes part in sharing a blob, and whom each of them is introduced to.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace wherry::swarm {

/// Introduces each newcomer to a few of its site: of some at random, those that fewest know; as many more come to know
/// it later, so each knows about twice as many. At random, for then all are a few steps from one another, log(members),
/// and a piece is soon everywhere: were those taken that fewest know of all, everyone would know those who came just
/// before and after him, and a piece would pass through a thousand of them hand by hand. Who came last asks again a
/// second later, and is introduced to as many as it lacks: uplinks are shared among those who know one another, so who
/// knows half as many as others gets half as much. Whom nothing was heard of for kSilence is forgotten. Of each site
/// kBridges are its bridges, the first who come and are willing: they meet a few of those of other sites besides, and
/// nobody else meets anybody of another site. When one leaves, the next one of its site who joins or asks again is a
/// bridge in its place. Of one loop; the simulator runs this code too. O(log members) for an introduction, O(sites) for
/// a bridge's.
class Neighbourhood {
 public:
  static constexpr std::size_t kIntroduced = 5;              ///< to so many at once at most
  static constexpr std::size_t kWanted = 10;                 ///< who knows fewer had better ask again
  static constexpr std::size_t kLookedAt = 3 * kIntroduced;  ///< at random, for each introduction
  static constexpr std::chrono::seconds kSilence{30};
  static constexpr std::size_t kBridges = 2;         ///< of a site
  static constexpr std::size_t kWantedByBridge = 4;  ///< its uplink is for other sites, too: few of its own know it
  static constexpr std::size_t kBridgesMet = 2;      ///< of other sites, by a bridge, at once at most

  struct Member {
    std::string name;     ///< of the node
    std::string address;  ///< HOST:PORT, where it takes part
    std::string site;
    Monotonic heard_at{};
    std::uint32_t known_by = 0;  ///< by how many; of who joins: as it says itself
    std::size_t place = 0;       ///< among those of its site
    std::uint32_t pieces = 0;    ///< that it has, as it last said
    bool may_bridge = true;      ///< it is willing
    bool is_bridge = false;
  };

  explicit Neighbourhood(std::uint64_t seed) : random_(seed) {}

  /// A newcomer, or one who knows fewer than kWanted and asks again: whom it is introduced to. Those that it knows may
  /// be among them.
  std::vector<Member> join(const Member& member, Monotonic now);
  /// It takes part still. False when it is not known (any more).
  bool heard(const std::string& name, Monotonic now);
  /// It says that it has so many pieces. Nothing happens when it is not known.
  void has(const std::string& name, std::uint32_t pieces);
  void leave(const std::string& name);
  /// Whether some of that site meet those of others.
  bool is_bridged(const std::string& site) const;
  /// Forgets whom nothing was heard of; gives how many.
  std::size_t forget_silent(Monotonic now);

  const std::map<std::string, Member>& members() const { return members_; }

 private:
  struct Site {
    std::vector<Member*> members;
    std::size_t bridges = 0;
  };
  std::vector<Member*> some_of(std::vector<Member*>& site, Monotonic now);
  std::vector<Member*> some_bridges(const std::string& not_of, Monotonic now);

  std::map<std::string, Member> members_;  // by name
  std::map<std::string, Site> sites_;
  std::vector<Member*> bridges_;  // of all sites
  std::mt19937_64 random_;
};

}  // namespace wherry::swarm
