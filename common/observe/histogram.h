// Histogram: how long things took, in fixed buckets, counted without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace wherry {

/// One series of a Prometheus histogram. Any thread: two relaxed additions, on a line of memory that few threads share.
class HistogramSeries {
 public:
  /// Upper bounds of the buckets in seconds, the same for all of ours; above the last there is one more.
  static constexpr std::array<double, 10> kBounds = {0.0005, 0.002, 0.01, 0.05, 0.25, 1, 5, 30, 120, 600};

  void observe(Duration took);

  struct Reading {
    std::array<std::uint64_t, kBounds.size() + 1> counts{};  ///< not cumulative
    double sum_seconds = 0;
  };
  Reading read() const;

 private:
  static constexpr std::size_t kShards = 8;
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> counts{};
    std::atomic<std::uint64_t> sum_nanos{0};
  };
  std::array<Shard, kShards> shards_;
};

/// A histogram as those hold it who count with it; the Metrics that gave it outlives it.
class Histogram {
 public:
  explicit Histogram(HistogramSeries& series) : series_(&series) {}
  void observe(Duration took) { series_->observe(took); }

 private:
  HistogramSeries* series_;
};

}  // namespace wherry
