// Calls: what a parent has to say to its nodes, who hang on the line for it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/async/per_loop.h"
#include "common/async/sleep.h"
#include "common/base/clock.h"
#include "common/oci/digest.h"

namespace wherry::swarm {

/// Blobs that a node is asked to give. What nobody comes for in kSilence is forgotten. Calls from any loop; each node's
/// lives on the loop that its name hashes to.
class Calls {
 public:
  static constexpr std::size_t kMostOfANode = 256;
  static constexpr std::size_t kMostLifeBytes = 32;
  static constexpr std::chrono::seconds kSilence{30};

  explicit Calls(const std::vector<Loop*>& loops) : parts_(loops) {}

  /// False when that node was not heard of lately.
  Task<bool> call(std::string node, Digest blob);
  /// Whether that node was heard of lately as another process, whose random name is `life`; this one is known then. Not
  /// more than once in kSilence: two that share a name are not told apart for ever.
  Task<bool> is_new_life(std::string node, std::string life);
  /// All for that node, once there are some or that long has passed. Who listens again ends the wait of who listened.
  Task<std::vector<Digest>> listen(std::string node, std::chrono::milliseconds at_most);
  /// Ends all waits, now and later. Any loop, at once.
  void drain();

 private:
  struct Line {
    std::set<Digest> blobs;
    std::shared_ptr<Sleeper> listener;
    Monotonic heard_at{};
    std::string life;
    Monotonic life_at{};
  };
  using Part = std::unordered_map<std::string, Line>;
  /// As it is heard of now; who is silent makes room.
  static Line& line_of(Part& part, const std::string& node);

  PerLoop<Part> parts_;
  std::atomic<bool> draining_{false};
};

}  // namespace wherry::swarm
