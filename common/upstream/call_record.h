// CallRecord: how an upstream answers, as metrics and the status show it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/http/client.h"

namespace wherry {

/// Counts calls by what came of them, and remembers since when the server answers (or does not) and its last failure.
/// Any thread; a good answer costs one addition and one look, and takes no lock unless something changes.
class CallRecord {
 public:
  /// Every label there is: few and fixed, whatever an upstream answers.
  static constexpr std::array<std::string_view, 12> kCodes = {"2xx", "304", "3xx", "401", "403",         "404",
                                                              "429", "4xx", "5xx", "1xx", "unreachable", "timeout"};
  static constexpr std::size_t kMaxErrorBytes = 256;  ///< of a message that is kept

  explicit CallRecord(const Clock& clock = Clock::system()) : clock_(clock) {}

  /// A call has ended: with an answer's head, or with none. `own` is false for another server that it redirected to:
  /// that counts, but tells nothing of this one. What was cancelled or refused by ourselves does not count.
  void note(const Result<std::unique_ptr<http::Transfer>>& outcome, bool own);

  std::uint64_t count(std::size_t code) const { return counts_[code].load(std::memory_order_relaxed); }

  struct Failure {
    std::string message;
    WallTime at;
  };
  struct State {
    std::optional<bool> up;          ///< nothing before the first call
    WallTime since{};                ///< of `up`
    std::optional<Failure> failure;  ///< the last one, though it may be up again
  };
  State state() const;

 private:
  void answered(int status, bool own);
  void failed(const Error& error, bool own);
  void change(bool up);
  void remember(std::string message);

  const Clock& clock_;
  std::array<std::atomic<std::uint64_t>, kCodes.size()> counts_{};
  std::atomic<int> up_{-1};
  mutable std::mutex mutex_;
  WallTime since_{};
  std::optional<Failure> failure_;
};

}  // namespace wherry
