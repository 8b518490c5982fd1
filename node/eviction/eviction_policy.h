// EvictionPolicy: which of the things that are held is missed least. Pure: no I/O, no clock, no threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>

#include "common/oci/digest.h"

namespace wherry::node {

/// S3-FIFO over bytes: what is new waits in a small queue, and most of it leaves from there; what was asked for again
/// meanwhile moves into the main queue, where each hit buys one more round; a list of ghosts lets what left too early
/// come back into the main queue. A scan of things that are wanted once passes through the small queue alone.
/// All calls O(1), evict() amortised: each thing that it passes over has been hit, or may not go. Memory: what is held,
/// and kMaxGhosts. Source: Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
class EvictionPolicy {
 public:
  static constexpr std::size_t kMaxGhosts = 65'536;
  static constexpr std::uint8_t kMaxHits = 3;         ///< more hits count as so many
  static constexpr std::uint64_t kSmallPercent = 10;  ///< of the bytes, for the small queue
  static constexpr std::uint8_t kHitsForMain = 1;     ///< in the small queue, to leave it for the main one

  /// What is kept of one thing over a restart.
  struct Place {
    bool main = false;
    std::uint8_t hits = 0;
  };

  /// Takes in what was not there; by its ghost it is known again. Does nothing when it is there.
  void insert(const Digest& digest, std::uint64_t bytes);
  /// The same at a place that it had before; called in the order of for_each().
  void restore(const Digest& digest, std::uint64_t bytes, Place place);
  void hit(const Digest& digest);
  /// Takes out what went in another way; leaves no ghost. Does nothing when it is not there.
  void remove(const Digest& digest);
  /// Takes out what is missed least of that which `may_go`; nothing when none may.
  std::optional<Digest> evict(const std::function<bool(const Digest&)>& may_go);

  bool contains(const Digest& digest) const { return index_.contains(digest); }
  std::size_t size() const { return index_.size(); }
  std::uint64_t bytes() const { return small_.bytes + main_.bytes; }
  std::size_t ghosts() const { return ghosts_.size(); }
  /// All that is held, in each queue from the next to go to the last.
  void for_each(const std::function<void(const Digest&, Place)>& visit) const;

 private:
  struct Thing {
    Digest digest;
    std::uint64_t bytes;
    Place place;
  };
  using Order = std::list<Thing>;  // the next to go at the back
  struct Queue {
    Order order;
    std::uint64_t bytes = 0;
  };
  struct Ghost {
    std::size_t hash;
    std::uint64_t bytes;
  };

  using GhostOrder = std::list<Ghost>;                                   // the oldest first
  using Ghosts = std::unordered_map<std::size_t, GhostOrder::iterator>;  // a wrong match costs a place, no more

  Queue& queue_of(const Thing& thing) { return thing.place.main ? main_ : small_; }
  void add(Thing thing);
  void rotate(Queue& from, Queue& to);
  void remember(const Thing& thing);
  void forget(Ghosts::iterator ghost);

  Queue small_;
  Queue main_;
  std::unordered_map<Digest, Order::iterator> index_;
  GhostOrder ghost_order_;
  Ghosts ghosts_;
  std::uint64_t ghost_bytes_ = 0;
  std::uint64_t full_bytes_ = 0;  // after the last one came: what goes until the next comes is for its sake
};

}  // namespace wherry::node
