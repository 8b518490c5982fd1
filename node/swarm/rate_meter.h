// RateMeter: how fast a count grows just now.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace wherry::node {

/// Bytes a second over the last kSamples samples, or since it began; 0 soon after nothing comes any more. A plain value
/// that never grows.
class RateMeter {
 public:
  static constexpr std::chrono::seconds kEvery{1};  ///< a sample is to be given
  static constexpr std::size_t kSamples = 5;

  explicit RateMeter(Monotonic begun) { samples_.fill({begun, 0}); }

  /// The count as it is now.
  void sample(Monotonic now, std::uint64_t count) {
    samples_[next_] = {now, count};
    next_ = (next_ + 1) % kSamples;
  }
  /// `count`: as it is now.
  double per_second(Monotonic now, std::uint64_t count) const {
    const Sample& oldest = samples_[next_];
    const double seconds = std::chrono::duration<double>(now - oldest.at).count();
    return seconds > 0 ? static_cast<double>(count - oldest.count) / seconds : 0;
  }

 private:
  struct Sample {
    Monotonic at;
    std::uint64_t count;
  };
  std::array<Sample, kSamples> samples_;
  std::size_t next_ = 0;
};

}  // namespace wherry::node
