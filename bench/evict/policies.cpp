#include "bench/evict/policies.h"

#include <deque>
#include <list>
#include <unordered_map>
#include <unordered_set>

#include "node/eviction/eviction_policy.h"

namespace wherry::bench {
namespace {

class Lru final : public CacheModel {
 public:
  explicit Lru(std::uint64_t capacity) : capacity_(capacity) {}
  bool get(std::uint32_t blob, std::uint64_t bytes) override {
    if (const auto found = index_.find(blob); found != index_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return true;
    }
    if (bytes > capacity_) return false;
    while (used_ + bytes > capacity_) {
      used_ -= order_.back().second;
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(blob, bytes);
    index_[blob] = order_.begin();
    used_ += bytes;
    return false;
  }

 private:
  std::uint64_t capacity_;
  std::uint64_t used_ = 0;
  std::list<std::pair<std::uint32_t, std::uint64_t>> order_;
  std::unordered_map<std::uint32_t, std::list<std::pair<std::uint32_t, std::uint64_t>>::iterator> index_;
};

/// Zhang et al., NSDI 2024.
class Sieve final : public CacheModel {
 public:
  explicit Sieve(std::uint64_t capacity) : capacity_(capacity) {}
  bool get(std::uint32_t blob, std::uint64_t bytes) override {
    if (const auto found = index_.find(blob); found != index_.end()) {
      found->second->visited = true;
      return true;
    }
    if (bytes > capacity_) return false;
    while (used_ + bytes > capacity_) evict();
    order_.push_front({blob, bytes, false});
    index_[blob] = order_.begin();
    used_ += bytes;
    return false;
  }

 private:
  struct Thing {
    std::uint32_t blob;
    std::uint64_t bytes;
    bool visited;
  };
  void evict() {
    if (hand_ == order_.end()) hand_ = std::prev(order_.end());
    while (hand_->visited) {
      hand_->visited = false;
      hand_ = hand_ == order_.begin() ? std::prev(order_.end()) : std::prev(hand_);
    }
    const auto gone = hand_;
    hand_ = gone == order_.begin() ? order_.end() : std::prev(gone);
    used_ -= gone->bytes;
    index_.erase(gone->blob);
    order_.erase(gone);
  }
  std::uint64_t capacity_;
  std::uint64_t used_ = 0;
  std::list<Thing> order_;
  std::list<Thing>::iterator hand_ = order_.end();
  std::unordered_map<std::uint32_t, std::list<Thing>::iterator> index_;
};

/// Yang et al., SOSP 2023: small queue of 10 %, into the main one after more than one hit.
class S3Fifo final : public CacheModel {
 public:
  explicit S3Fifo(std::uint64_t capacity) : capacity_(capacity), small_bytes_(capacity / 10) {}
  bool get(std::uint32_t blob, std::uint64_t bytes) override {
    if (const auto found = things_.find(blob); found != things_.end()) {
      found->second.hits = std::min(3, found->second.hits + 1);
      return true;
    }
    if (bytes > capacity_) return false;
    while (small_used_ + main_used_ + bytes > capacity_) evict();
    const bool known = ghosts_.erase(blob) > 0;
    things_[blob] = {bytes, 0};
    (known ? main_ : small_).push_front(blob);
    (known ? main_used_ : small_used_) += bytes;
    return false;
  }

 private:
  struct Thing {
    std::uint64_t bytes;
    int hits;
  };
  void evict() {
    if (!small_.empty() && (small_used_ >= small_bytes_ || main_.empty()))
      evict_small();
    else
      evict_main();
  }
  void evict_small() {
    const std::uint32_t blob = small_.back();
    small_.pop_back();
    Thing& thing = things_.at(blob);
    small_used_ -= thing.bytes;
    if (thing.hits > 1) {
      thing.hits = 0;
      main_.push_front(blob);
      main_used_ += thing.bytes;
      return;
    }
    ghosts_.insert(blob);
    ghost_order_.emplace_back(blob, thing.bytes);
    ghost_bytes_ += thing.bytes;
    while (ghost_bytes_ > capacity_ - small_bytes_) {
      ghost_bytes_ -= ghost_order_.front().second;
      ghosts_.erase(ghost_order_.front().first);
      ghost_order_.pop_front();
    }
    things_.erase(blob);
  }
  void evict_main() {
    const std::uint32_t blob = main_.back();
    main_.pop_back();
    Thing& thing = things_.at(blob);
    if (thing.hits > 0) {
      --thing.hits;
      main_.push_front(blob);
      return;
    }
    main_used_ -= thing.bytes;
    things_.erase(blob);
  }
  std::uint64_t capacity_;
  std::uint64_t small_bytes_;
  std::uint64_t small_used_ = 0;
  std::uint64_t main_used_ = 0;
  std::uint64_t ghost_bytes_ = 0;
  std::deque<std::uint32_t> small_;
  std::deque<std::uint32_t> main_;
  std::deque<std::pair<std::uint32_t, std::uint64_t>> ghost_order_;
  std::unordered_set<std::uint32_t> ghosts_;
  std::unordered_map<std::uint32_t, Thing> things_;
};

class NodePolicy final : public CacheModel {
 public:
  explicit NodePolicy(std::uint64_t capacity) : capacity_(capacity) {}
  bool get(std::uint32_t blob, std::uint64_t bytes) override {
    const Digest digest = Digest::of(DigestAlgorithm::kSha256, std::to_string(blob));
    if (policy_.contains(digest)) {
      policy_.hit(digest);
      return true;
    }
    if (bytes > capacity_) return false;
    while (policy_.bytes() + bytes > capacity_)
      if (!policy_.evict([](const Digest&) { return true; })) break;
    policy_.insert(digest, bytes);
    return false;
  }

 private:
  std::uint64_t capacity_;
  node::EvictionPolicy policy_;
};

}  // namespace

std::vector<NamedModel> all_models() {
  return {
      {"LRU", [](std::uint64_t capacity) { return std::make_unique<Lru>(capacity); }},
      {"SIEVE", [](std::uint64_t capacity) { return std::make_unique<Sieve>(capacity); }},
      {"S3-FIFO", [](std::uint64_t capacity) { return std::make_unique<S3Fifo>(capacity); }},
      {"node", [](std::uint64_t capacity) { return std::make_unique<NodePolicy>(capacity); }},
  };
}

}  // namespace wherry::bench
