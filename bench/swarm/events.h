// What happens when, in a simulation.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "bench/swarm/shape.h"

namespace wherry::bench {

enum class Happens : std::uint8_t {
  kStart,      ///< `node` begins to pull
  kJoin,       ///< `node` asks to be introduced
  kMet,        ///< `node` is connected to whom it was introduced
  kAsk,        ///< `node` asks for a lease (again)
  kAsked,      ///< that reached the parent
  kRequested,  ///< `node` is asked by `other` for `piece`
  kSent,       ///< a block left `node`
  kArrived,    ///< all of `piece` came to `node` from `other`
  kAnnounced,  ///< the neighbours of `node` know that it has `piece`
  kTold,       ///< the parent hears of `node`
};

struct Event {
  Nanos at;
  std::uint64_t order;
  std::uint32_t node;
  std::uint32_t other;
  std::uint32_t piece;
  Happens what;
};

/// In the order of time, then in that of being added.
class Events {
 public:
  void add(Nanos at, Happens what, std::uint32_t node, std::uint32_t other = 0, std::uint32_t piece = 0) {
    queue_.push({at, added_++, node, other, piece, what});
  }
  bool empty() const { return queue_.empty(); }
  Event take() {
    const Event event = queue_.top();
    queue_.pop();
    return event;
  }
  std::uint64_t added() const { return added_; }

 private:
  struct Later {
    bool operator()(const Event& a, const Event& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  };
  std::priority_queue<Event, std::vector<Event>, Later> queue_;
  std::uint64_t added_ = 0;
};

}  // namespace wherry::bench
