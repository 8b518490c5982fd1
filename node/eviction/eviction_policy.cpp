#include "node/eviction/eviction_policy.h"

#include <algorithm>

namespace wherry::node {

void EvictionPolicy::add(Thing thing) {
  Queue& queue = queue_of(thing);
  queue.bytes += thing.bytes;
  const Digest digest = thing.digest;
  queue.order.push_front(std::move(thing));
  index_.emplace(digest, queue.order.begin());
  full_bytes_ = bytes();
}

void EvictionPolicy::insert(const Digest& digest, std::uint64_t bytes) {
  if (contains(digest)) return;
  const auto ghost = ghosts_.find(digest.hash());
  const bool known = ghost != ghosts_.end();
  if (known) forget(ghost);
  add({digest, bytes, {known, 0}});
  // Here, where all that had to go for it has been replaced: ghosts of as much as is held.
  while (ghost_bytes_ > this->bytes()) forget(ghosts_.find(ghost_order_.front().hash));
}

void EvictionPolicy::restore(const Digest& digest, std::uint64_t bytes, Place place) {
  if (contains(digest)) return;
  place.hits = std::min(place.hits, kMaxHits);
  add({digest, bytes, place});
}

void EvictionPolicy::hit(const Digest& digest) {
  const auto found = index_.find(digest);
  if (found == index_.end()) return;
  std::uint8_t& hits = found->second->place.hits;
  if (hits < kMaxHits) ++hits;
}

void EvictionPolicy::remove(const Digest& digest) {
  const auto found = index_.find(digest);
  if (found == index_.end()) return;
  Queue& queue = queue_of(*found->second);
  queue.bytes -= found->second->bytes;
  queue.order.erase(found->second);
  index_.erase(found);
}

/// Moves the next to go of one queue to the safe end of the same or another one.
void EvictionPolicy::rotate(Queue& from, Queue& to) {
  const auto last = std::prev(from.order.end());
  from.bytes -= last->bytes;
  to.bytes += last->bytes;
  last->place.main = &to == &main_;
  to.order.splice(to.order.begin(), from.order, last);
}

std::optional<Digest> EvictionPolicy::evict(const std::function<bool(const Digest&)>& may_go) {
  // Held back that often in a row, all of a queue was seen without its hits, and nothing of it may go.
  std::size_t small_held_back = 0;
  std::size_t main_held_back = 0;
  while (true) {
    const bool small_has = small_held_back < small_.order.size();
    const bool main_has = main_held_back < main_.order.size() * (kMaxHits + 1);
    if (!small_has && !main_has) return std::nullopt;
    const bool from_small = small_has && (!main_has || small_.bytes * 100 >= full_bytes_ * kSmallPercent);
    Queue& queue = from_small ? small_ : main_;
    Thing& thing = queue.order.back();
    if (from_small && thing.place.hits >= kHitsForMain) {
      thing.place.hits = 0;
      rotate(small_, main_);
    } else if (!from_small && thing.place.hits > 0) {
      --thing.place.hits;
      rotate(main_, main_);
    } else if (!may_go(thing.digest)) {
      ++(from_small ? small_held_back : main_held_back);
      rotate(queue, queue);
    } else {
      const Digest digest = thing.digest;
      if (from_small) remember(thing);
      remove(digest);
      return digest;
    }
  }
}

void EvictionPolicy::remember(const Thing& thing) {
  const std::size_t hash = thing.digest.hash();
  if (const auto same = ghosts_.find(hash); same != ghosts_.end()) forget(same);
  ghost_order_.push_back({hash, thing.bytes});
  ghosts_.emplace(hash, std::prev(ghost_order_.end()));
  ghost_bytes_ += thing.bytes;
  if (ghosts_.size() > kMaxGhosts) forget(ghosts_.find(ghost_order_.front().hash));
}

void EvictionPolicy::forget(Ghosts::iterator ghost) {
  ghost_bytes_ -= ghost->second->bytes;
  ghost_order_.erase(ghost->second);
  ghosts_.erase(ghost);
}

void EvictionPolicy::for_each(const std::function<void(const Digest&, Place)>& visit) const {
  for (const Queue* queue : {&small_, &main_})
    for (auto thing = queue->order.rbegin(); thing != queue->order.rend(); ++thing) visit(thing->digest, thing->place);
}

}  // namespace wherry::node
