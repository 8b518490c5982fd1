#include "common/observe/histogram.h"

#include <algorithm>

#include "common/base/thread_number.h"

namespace wherry {

void HistogramSeries::observe(Duration took) {
  const std::int64_t nanos = std::max<std::int64_t>(0, took.count());
  const double seconds = static_cast<double>(nanos) * 1e-9;
  std::size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  Shard& shard = shards_[thread_number() % kShards];
  shard.counts[bucket].fetch_add(1, std::memory_order_relaxed);
  shard.sum_nanos.fetch_add(static_cast<std::uint64_t>(nanos), std::memory_order_relaxed);
}

HistogramSeries::Reading HistogramSeries::read() const {
  Reading reading;
  for (const Shard& shard : shards_) {
    for (std::size_t i = 0; i < reading.counts.size(); ++i)
      reading.counts[i] += shard.counts[i].load(std::memory_order_relaxed);
    reading.sum_seconds += static_cast<double>(shard.sum_nanos.load(std::memory_order_relaxed)) * 1e-9;
  }
  return reading;
}

}  // namespace wherry
