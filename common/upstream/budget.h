// Budget: how much of an upstream we may use, and who gets it next.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/async/loop.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/http/client.h"
#include "common/upstream/turns.h"

namespace wherry {

struct BudgetLimits {
  std::uint64_t concurrent = 64;       ///< blobs that are fetched at a time
  std::uint64_t bytes_per_second = 0;  ///< of blobs; 0: any
  std::uint64_t manifests = 0;         ///< GETs of manifests in a window; 0: what the upstream says, or any
  std::chrono::milliseconds window{std::chrono::hours(6)};
  std::uint64_t reserve = 10;  ///< of those, kept for what is not held at all
};

/// Counts what is asked of one upstream. Fetches of blobs wait for a slot in turns of clients, and of each client's
/// repositories, so that neither who pulls a hundred images nor an image of a hundred layers holds up all others. GETs
/// of manifests are counted against the configured limit and against what the upstream says is left
/// (RateLimit-Remaining or ratelimit-remaining); a 429 closes the upstream for as long as its Retry-After says. Any
/// thread; a short lock, on misses alone. A blob that is passed on unstored goes as slowly as its reader, so those have
/// but a share of the slots, and a queue of their own.
class Budget {
 public:
  static constexpr std::size_t kMostWaiting = 4096;
  static constexpr std::size_t kMostWaitingOfOne = 1024;  ///< of one client
  static constexpr std::chrono::seconds kLongestClosed{600};
  /// With nothing left, one is tried after this: an upstream need not say when it gives more.
  static constexpr std::chrono::seconds kTryAgain{60};
  /// One of so many slots is the most that relays have; one at least.
  static constexpr std::uint64_t kRelayShare = 4;
  /// A wait for bytes looks that often whether it is still wanted.
  static constexpr std::chrono::milliseconds kLongestNap{200};

  explicit Budget(BudgetLimits limits, const Clock& clock = Clock::system());

  enum class Use { kFill, kRelay };
  /// The right to fetch a blob, until it is dropped.
  class Slot {
   public:
    Slot() = default;
    Slot(Budget& budget, Use use) : budget_(&budget), use_(use) {}
    Slot(Slot&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), use_(other.use_) {}
    Slot& operator=(Slot&& other) noexcept {
      if (this != &other) {
        give_back();
        budget_ = std::exchange(other.budget_, nullptr);
        use_ = other.use_;
      }
      return *this;
    }
    ~Slot() { give_back(); }

   private:
    void give_back();
    Budget* budget_ = nullptr;
    Use use_ = Use::kFill;
  };

  /// Waits for a slot, for the client of the request that it is for. Errors: kUpstreamLimited with a Retry-After while
  /// the upstream is closed or too many wait; kCancelled.
  Task<Result<Slot>> slot(std::string repository, Use use = Use::kFill);
  /// Waits until that many bytes of a blob may be taken in, or all is cancelled.
  Task<void> spend(std::uint64_t bytes);
  /// Takes one GET of a manifest out of the window and says when; `refresh` when an older one is held. Errors:
  /// kUpstreamLimited.
  Result<Monotonic> take_manifest(bool refresh);
  /// The one that was taken then was not used.
  void give_back_manifest(Monotonic taken);
  /// What any question has to pass: an upstream that said 429 is left alone. Errors: kUpstreamLimited.
  Result<void> check_open();

  /// Reads what an answer says of limits.
  void told(const http::ClientHead& head);
  void closed_for(std::chrono::seconds time);
  /// How long an answer of 429 asks to be left alone: its Retry-After, from 1 s to kLongestClosed.
  static std::chrono::seconds asked_to_wait(const http::ClientHead& head);
  /// Ends all waiting with kCancelled.
  void cancel();

  /// GETs of manifests left in this window; nothing when there is no limit.
  std::optional<std::uint64_t> manifests_left() const;
  /// Fetches of blobs that wait for their turn.
  std::size_t waiting() const;

 private:
  struct Waiter : Loop::Message {
    Waiter(Budget& b, std::uint64_t c, std::string r, Use u) : budget(b), client(c), repository(std::move(r)), use(u) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting);
    void await_resume() const noexcept {}

    Budget& budget;
    std::uint64_t client;
    std::string repository;
    Use use;
    Loop* loop = nullptr;
    std::coroutine_handle<> handle;
    enum class Outcome { kWaiting, kGranted, kCancelled, kTooMany } outcome = Outcome::kWaiting;
  };

  bool has_slot_for(Use use) const;
  void slot_ended(Use use);
  void roll_window(Monotonic now);
  Error limited(std::string why, std::chrono::milliseconds wait) const;

  const BudgetLimits limits_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards all below; never held across a suspension
  std::uint64_t taken_ = 0;
  std::uint64_t taken_by_relays_ = 0;  // of those
  Turns<Waiter*> waiters_;
  Turns<Waiter*> waiting_relays_;
  bool cancelled_ = false;
  Monotonic closed_until_{};
  Monotonic window_ends_{};
  std::uint64_t used_ = 0;
  std::optional<std::uint64_t> told_left_;
  Monotonic told_at_{};
  Monotonic told_until_{};  // when the window that the upstream speaks of is over
  Monotonic bytes_free_at_{};
};

}  // namespace wherry
