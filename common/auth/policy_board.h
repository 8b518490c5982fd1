// PolicyBoard: the present Policy, for every loop to look at.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "common/auth/policy.h"

namespace wherry::auth {

/// One writer publishes; readers on their loops keep what they saw until the version is another: no lock and nothing
/// shared in between.
class PolicyBoard {
 public:
  void publish(Policy policy) {
    auto made = std::make_shared<const Policy>(std::move(policy));
    const std::lock_guard lock(mutex_);
    current_ = std::move(made);
    version_.fetch_add(1, std::memory_order_release);
  }

  /// What one loop has seen of it.
  class View {
   public:
    /// A look at an atomic unless something was published since.
    const std::shared_ptr<const Policy>& of(const PolicyBoard& board) {
      if (seen_ != board.version_.load(std::memory_order_acquire)) refresh(board);
      return policy_;
    }
    /// Of what of() gave last: another policy has another one, and none comes again.
    std::uint64_t version() const { return seen_; }

   private:
    void refresh(const PolicyBoard& board) {
      const std::lock_guard lock(board.mutex_);
      seen_ = board.version_.load(std::memory_order_acquire);
      // With a count of its own: loops do not take a cache line from one another for each request.
      auto owner = std::make_shared<std::shared_ptr<const Policy>>(board.current_);
      policy_ = std::shared_ptr<const Policy>(owner, owner->get());
    }
    std::uint64_t seen_ = 0;
    std::shared_ptr<const Policy> policy_ = std::make_shared<const Policy>();
  };

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Policy> current_ = std::make_shared<const Policy>();  // under mutex_
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace wherry::auth
