#include "bench/load/histogram.h"

#include <gtest/gtest.h>

namespace wherry::bench {
namespace {

using std::chrono::microseconds;

TEST(LoadHistogram, OfNothingIsZero) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0U);
  EXPECT_EQ(none.mean(), Duration(0));
  EXPECT_EQ(none.at(0.99), Duration(0));
}

TEST(LoadHistogram, EveryDurationIsKeptToOnePartInAThousand) {
  for (std::int64_t ns = 1; ns < std::int64_t{3600} * 1'000'000'000; ns = ns * 7 / 3 + 1) {
    Histogram one;
    one.add(Duration(ns));
    EXPECT_GE(one.max().count(), ns);
    EXPECT_LE(static_cast<double>(one.max().count()), static_cast<double>(ns) * 1.001) << ns;
  }
}

TEST(LoadHistogram, PercentilesAreThoseOfTheSortedList) {
  Histogram all;
  for (int i = 1; i <= 1000; ++i) all.add(microseconds(i));
  const auto near = [](Duration found, microseconds wanted) {
    return found >= wanted && found.count() <= static_cast<double>(Duration(wanted).count()) * 1.001;
  };
  EXPECT_TRUE(near(all.at(0), microseconds(1)));
  EXPECT_TRUE(near(all.at(0.5), microseconds(500)));
  EXPECT_TRUE(near(all.at(0.99), microseconds(990)));
  EXPECT_TRUE(near(all.at(0.999), microseconds(999)));
  EXPECT_TRUE(near(all.max(), microseconds(1000)));
  EXPECT_EQ(all.mean(), std::chrono::nanoseconds(500'500));
}

}  // namespace
}  // namespace wherry::bench
