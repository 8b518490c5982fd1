#include "bench/load/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace wherry::bench {
namespace {

// Durations below 2^11 ns have a bucket each; each doubling above has 2^10 of equal width.
constexpr int kExactBits = 11;
constexpr std::size_t kSteps = std::size_t{1} << (kExactBits - 1);
constexpr std::size_t kBuckets = kSteps * (64 - kExactBits + 2);

std::size_t bucket_of(std::uint64_t ns) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(ns)) - kExactBits);
  return static_cast<std::size_t>(shift) * kSteps + static_cast<std::size_t>(ns >> shift);
}

/// The longest duration of a bucket.
std::uint64_t end_of(std::size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const std::size_t shift = bucket / kSteps - 1;
  return ((bucket - shift * kSteps + 1) << shift) - 1;
}

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::add(Duration duration) {
  const auto ns = static_cast<std::uint64_t>(std::max<Duration::rep>(duration.count(), 0));
  ++buckets_[bucket_of(ns)];
  ++count_;
  sum_ns_ += static_cast<double>(ns);
}

Duration Histogram::mean() const {
  return Duration(count_ == 0 ? 0 : static_cast<Duration::rep>(sum_ns_ / static_cast<double>(count_)));
}

Duration Histogram::at(double share) const {
  if (count_ == 0) return Duration(0);
  const auto wanted =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return Duration(static_cast<Duration::rep>(end_of(bucket)));
  }
  return Duration(0);
}

std::string Histogram::to_json() const {
  std::string json = fmt::format("{{\"count\":{},\"mean\":{:.4f}", count_, milliseconds(mean()));
  for (const auto& [name, share] : {std::pair{"min", 0.0},
                                    {"p10", 0.1},
                                    {"p25", 0.25},
                                    {"p50", 0.5},
                                    {"p75", 0.75},
                                    {"p90", 0.9},
                                    {"p95", 0.95},
                                    {"p99", 0.99},
                                    {"p99.9", 0.999},
                                    {"p99.99", 0.9999},
                                    {"max", 1.0}})
    json += fmt::format(",\"{}\":{:.4f}", name, milliseconds(at(share)));
  return json + "}";
}

}  // namespace wherry::bench
