#include "node/swarm/rate_meter.h"

#include <gtest/gtest.h>

namespace wherry::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Monotonic kStart{};

TEST(RateMeter, TellsTheRateSinceItBeganAtFirst) {
  const RateMeter meter(kStart);
  EXPECT_EQ(meter.per_second(kStart, 0), 0);
  EXPECT_EQ(meter.per_second(kStart + milliseconds(500), 1000), 2000);
}

TEST(RateMeter, TellsTheRateOfTheLastSamples) {
  RateMeter meter(kStart);
  for (int second = 1; second <= 20; ++second)  // 100 a second for 10 s, then 1000
    meter.sample(kStart + seconds(second),
                 static_cast<std::uint64_t>(second <= 10 ? 100 * second : 1000 * second - 9000));
  EXPECT_EQ(meter.per_second(kStart + seconds(20), 11'000), 1000);
  meter.sample(kStart + seconds(21), 21'000);  // and 10,000 in the last one
  EXPECT_EQ(meter.per_second(kStart + seconds(21), 21'000), (3 * 1000 + 10'000) / 4.0);
}

TEST(RateMeter, IsZeroSoonAfterNothingComesAnyMore) {
  RateMeter meter(kStart);
  meter.sample(kStart + seconds(1), 1'000'000);
  for (std::size_t i = 0; i < RateMeter::kSamples; ++i)
    meter.sample(kStart + seconds(2 + static_cast<int>(i)), 1'000'000);
  EXPECT_EQ(meter.per_second(kStart + seconds(7), 1'000'000), 0);
}

}  // namespace
}  // namespace wherry::node
