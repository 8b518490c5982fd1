#include "bench/evict/trace.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>

namespace wherry::bench {
namespace {

// exp(mu + sigma z) with 65 % below 1e6 and 80 % below 1e7.
constexpr double kMu = 11.871;
constexpr double kSigma = 5.046;
constexpr std::uint64_t kSmallestBytes = 200;

constexpr std::size_t kLiving = 20'000;  ///< blobs that go on being asked for
constexpr double kPushes = 0.03;         ///< of the requests bring a new blob
constexpr double kBurst = 4;             ///< mean GETs soon after a push
constexpr double kBurstSpread = 300;     ///< mean requests between a push and each of them

/// Draws ranks 0.. with probability proportional to 1 / (rank + 1)^s.
class Zipf {
 public:
  Zipf(std::size_t count, double s) {
    double sum = 0;
    for (std::size_t rank = 0; rank < count; ++rank)
      sums_.push_back(sum += std::pow(static_cast<double>(rank + 1), -s));
  }
  template <class Random>
  std::size_t operator()(Random& random) {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    return static_cast<std::size_t>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

}  // namespace

Trace make_trace(const TraceShape& shape) {
  std::mt19937_64 random(shape.seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> unit(0, 1);
  Trace trace;
  const auto new_blob = [&] {
    double size = 0;
    do size = std::exp(kMu + kSigma * normal(random));
    while (size > static_cast<double>(shape.largest_bytes));
    trace.sizes.push_back(std::max(kSmallestBytes, static_cast<std::uint64_t>(size)));
    return static_cast<std::uint32_t>(trace.sizes.size() - 1);
  };
  std::vector<std::uint32_t> living;
  for (std::size_t i = 0; i < kLiving; ++i) living.push_back(new_blob());
  Zipf popularity(living.size(), shape.zipf);
  using Due = std::pair<std::size_t, std::uint32_t>;  // when, which
  std::priority_queue<Due, std::vector<Due>, std::greater<>> bursts;
  std::exponential_distribution<double> wait(1 / kBurstSpread);
  std::geometric_distribution<int> burst(1 / kBurst);
  // One-hit blobs among all that ever appear: those that live at the start are asked for again and again.
  while (trace.requests.size() < shape.requests) {
    const std::size_t now = trace.requests.size();
    if (!bursts.empty() && bursts.top().first <= now) {
      trace.requests.push_back(bursts.top().second);
      bursts.pop();
      continue;
    }
    if (unit(random) < kPushes) {
      const std::uint32_t blob = new_blob();
      const bool once = unit(random) < shape.one_hit;
      const int gets = once ? 1 : 2 + burst(random);
      for (int i = 0; i < gets; ++i) bursts.emplace(now + static_cast<std::size_t>(wait(random)), blob);
      if (!once) living[std::uniform_int_distribution<std::size_t>(0, living.size() - 1)(random)] = blob;
    }
    trace.requests.push_back(living[popularity(random)]);
  }
  std::vector<bool> asked(trace.sizes.size());
  for (const std::uint32_t blob : trace.requests)
    if (!asked[blob]) {
      asked[blob] = true;
      trace.working_set_bytes += trace.sizes[blob];
    }
  return trace;
}

}  // namespace wherry::bench
