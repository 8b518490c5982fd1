// Latencies as a high dynamic range histogram: any time up to hours, to one part in a thousand, in fixed memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace wherry::bench {

/// Counts durations in buckets whose width grows with them (G. Tene, HdrHistogram: linear steps within each power of
/// two). By hand, since Debian has the original for Java and Go only. 430 KiB; add() is a few instructions.
class Histogram {
 public:
  Histogram();

  void add(Duration duration);
  std::uint64_t count() const { return count_; }
  Duration mean() const;
  /// The least duration that at least `share` (0 to 1) of all do not exceed, at most 0.1 % too long; 0 of none.
  Duration at(double share) const;
  Duration max() const { return at(1); }

  /// A JSON object of milliseconds: mean, max and the usual percentiles.
  std::string to_json() const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
};

}  // namespace wherry::bench
