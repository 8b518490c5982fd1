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

/// Introduces each newcomer to a few of its site, those first that were introduced to fewest: as many more come to know
/// it later, so each knows about twice as many. Whom nothing was heard of for kSilence is forgotten. Nodes of different
/// sites do not meet: the parent is what they have in common. Of one loop; the simulator runs this code too. O(members
/// of the site) for an introduction.
class Neighbourhood {
 public:
  static constexpr std::size_t kIntroduced = 5;
  static constexpr std::chrono::seconds kSilence{30};

  struct Member {
    std::string name;     ///< of the node
    std::string address;  ///< HOST:PORT, where it takes part
    std::string site;
    Monotonic heard_at{};
    std::uint32_t known_by = 0;  ///< to how many it was introduced, or who were introduced to it
  };

  explicit Neighbourhood(std::uint64_t seed) : random_(seed) {}

  /// A newcomer, or one who asks again: whom it is introduced to.
  std::vector<Member> join(const Member& member, Monotonic now);
  /// It takes part still. False when it is not known (any more).
  bool heard(const std::string& name, Monotonic now);
  void leave(const std::string& name) { members_.erase(name); }
  /// Forgets whom nothing was heard of; gives how many.
  std::size_t forget_silent(Monotonic now);

  const std::map<std::string, Member>& members() const { return members_; }

 private:
  std::map<std::string, Member> members_;  // by name
  std::mt19937_64 random_;
};

}  // namespace wherry::swarm
