#include "common/swarm/askers.h"

#include <gtest/gtest.h>

namespace wherry::swarm {
namespace {

constexpr Monotonic at(int milliseconds) { return Monotonic(std::chrono::milliseconds(1'000'000 + milliseconds)); }

TEST(Askers, EachIsCountedOnceASecondAndThoseOfTheLastOneStillCount) {
  Askers askers;
  std::int64_t one = 0;
  std::int64_t other = 0;
  EXPECT_EQ(askers.count(one, at(0)), 1U);
  EXPECT_EQ(askers.count(one, at(500)), 1U);
  EXPECT_EQ(askers.count(other, at(999)), 2U);
  EXPECT_EQ(askers.count(one, at(1000)), 2U);
  EXPECT_EQ(askers.count(one, at(2000)), 1U);
  EXPECT_EQ(askers.count(other, at(9000)), 1U);
}

}  // namespace
}  // namespace wherry::swarm
