#include "node/upstream/circuit.h"

#include <gtest/gtest.h>

#include "tests/unit/support/turned_clock.h"

namespace wherry::node {
namespace {

using namespace std::chrono_literals;
using testing::TurnedClock;

TEST(Circuit, OpensAtAFailureAndLetsOneProbeThrough) {
  TurnedClock clock;
  Circuit circuit(clock);
  EXPECT_TRUE(circuit.admits());
  EXPECT_TRUE(circuit.admits());
  circuit.failed();
  EXPECT_TRUE(circuit.is_open());
  EXPECT_FALSE(circuit.admits());
  clock.advance(Circuit::kFirstPause);
  EXPECT_TRUE(circuit.admits());
  EXPECT_FALSE(circuit.admits()) << "one probe at a time";
  circuit.worked();
  EXPECT_TRUE(circuit.admits());
  EXPECT_FALSE(circuit.is_open());
}

TEST(Circuit, PausesDoubleUpToTheLongest) {
  TurnedClock clock;
  Circuit circuit(clock);
  circuit.failed();
  auto expected = Circuit::kFirstPause;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(circuit.pause(), expected);
    clock.advance(circuit.pause());
    EXPECT_TRUE(circuit.admits());
    circuit.failed();
    expected = std::min(expected * 2, Circuit::kLongestPause);
  }
}

TEST(Circuit, FailuresOfRequestsThatWereOnTheirWayTogetherCountOnce) {
  TurnedClock clock;
  Circuit circuit(clock);
  for (int i = 0; i < 100; ++i) circuit.failed();
  EXPECT_EQ(circuit.pause(), Circuit::kFirstPause);
}

TEST(Circuit, AProbeThatWasCancelledMakesRoomForTheNext) {
  TurnedClock clock;
  Circuit circuit(clock);
  circuit.failed();
  clock.advance(Circuit::kFirstPause);
  EXPECT_TRUE(circuit.admits());
  circuit.neither_nor();
  EXPECT_TRUE(circuit.admits());
}

}  // namespace
}  // namespace wherry::node
