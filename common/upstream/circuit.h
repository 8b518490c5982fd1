// Circuit: a server that cannot be reached is found out about once, not by every request.
#pragma once

#include <atomic>
#include <chrono>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry {

/// Opens when a server could not be reached and lets one probe through after a time, which doubles with each probe that
/// fails. A request that gets no answer while others do says nothing of the server: what a client chose to ask for
/// keeps nobody else from it. Any thread; no lock.
class Circuit {
 public:
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{800};  ///< Less than kPatience: who needs it gets the probe.
  static constexpr std::chrono::milliseconds kPatience{1'000};
  static constexpr std::chrono::milliseconds kProbeTime{1'000};  ///< A probe that takes longer holds up no other one.

  explicit Circuit(const Clock& clock = Clock::system()) : clock_(clock) {}

  /// As admits(), but waits for up to kPatience for the probe that is on its way or due: so a server that is well again
  /// is not refused to the next who asks.
  Task<bool> admits_soon();
  /// True when a request may go out: its outcome is to be told by ended(), or by one of the three below.
  bool admits();
  Monotonic time() const { return clock_.monotonic(); }
  /// A request that went out at that time has ended: null for an answer, whatever it says; else an error of
  /// http::Client::open().
  void ended(Monotonic asked_at, const Error* why);
  /// The server answered, whatever it said.
  void worked();
  void failed();
  /// The request ended without telling anything (it was cancelled).
  void neither_nor() { probing_since_.store(kNoProbe); }

  bool is_open() const { return failures_.load() > 0; }
  /// Found out of reach a moment ago, and not yet time to try again.
  bool is_resting() const { return pause().count() > 0; }
  /// How long until a probe is let through.
  std::chrono::milliseconds pause() const;

 private:
  std::int64_t now() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic().time_since_epoch()).count();
  }

  const Clock& clock_;
  std::atomic<int> failures_{0};
  std::atomic<std::int64_t> open_until_{0};
  static constexpr std::int64_t kNoProbe = INT64_MIN;
  std::atomic<std::int64_t> probing_since_{kNoProbe};
  std::atomic<Monotonic> heard_at_{Monotonic::min()};  // of the last answer
};

}  // namespace wherry
