// Who knows whom after many joined a Neighbourhood, as a graph.
#pragma once

#include <algorithm>
#include <cstddef>
#include <queue>
#include <string>
#include <vector>

#include "common/swarm/neighbourhood.h"

namespace wherry::testing {

/// `count` that join one after the other; who was introduced and who was introduced to him know one another.
class Acquaintances {
 public:
  Acquaintances(std::uint64_t seed, int count) : known_(static_cast<std::size_t>(count)) {
    swarm::Neighbourhood all(seed);
    for (int i = 0; i < count; ++i) {
      const auto met = all.join({std::to_string(i), "", ""}, {});
      most_introduced_ = std::max(most_introduced_, met.size());
      for (const auto& each : met) {
        const int other = std::stoi(each.name);
        known_[static_cast<std::size_t>(i)].push_back(other);
        known_[static_cast<std::size_t>(other)].push_back(i);
      }
    }
  }

  std::size_t most_introduced() const { return most_introduced_; }
  std::size_t most_known() const { return std::ranges::max(known_, {}, &std::vector<int>::size).size(); }
  std::size_t fewest_known() const { return std::ranges::min(known_, {}, &std::vector<int>::size).size(); }
  int reached_from_first() const { return walk(0).first; }
  int steps_from_first() const { return walk(0).second; }
  int steps_from_last() const { return walk(static_cast<int>(known_.size()) - 1).second; }

 private:
  /// How many can be reached, and in how many steps.
  std::pair<int, int> walk(int from) const {
    std::vector<int> steps(known_.size(), -1);
    std::queue<int> next({from});
    steps[static_cast<std::size_t>(from)] = 0;
    int reached = 0;
    int most = 0;
    while (!next.empty()) {
      const int at = next.front();
      next.pop();
      ++reached;
      most = std::max(most, steps[static_cast<std::size_t>(at)]);
      for (const int other : known_[static_cast<std::size_t>(at)]) {
        if (steps[static_cast<std::size_t>(other)] >= 0) continue;
        steps[static_cast<std::size_t>(other)] = steps[static_cast<std::size_t>(at)] + 1;
        next.push(other);
      }
    }
    return {reached, most};
  }

  std::vector<std::vector<int>> known_;
  std::size_t most_introduced_ = 0;
};

}  // namespace wherry::testing
