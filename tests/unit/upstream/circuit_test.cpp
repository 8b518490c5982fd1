#include "common/upstream/circuit.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry {
namespace {

using namespace std::chrono_literals;
using testing::run_task;
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

const Error kSilent(ErrorKind::kTimeout, "nothing came");

TEST(Circuit, WhoGetsNoAnswerWhileOthersDoSaysNothingOfTheServer) {
  TurnedClock clock;
  Circuit circuit(clock);
  const Monotonic asked_at = circuit.time();
  clock.advance(10s);
  const Monotonic asked_later = circuit.time();
  circuit.ended(asked_later, nullptr);
  circuit.ended(asked_at, &kSilent);
  EXPECT_FALSE(circuit.is_open());
  clock.advance(10s);
  circuit.ended(asked_later, &kSilent);
  EXPECT_TRUE(circuit.is_open()) << "it has said nothing since";
}

TEST(Circuit, WhatEndsForAReasonOfOurOwnSaysNothingOfTheServer) {
  TurnedClock clock;
  Circuit circuit(clock);
  for (const ErrorKind ours : {ErrorKind::kCancelled, ErrorKind::kUnavailable}) {
    const Error why(ours, "not asked");
    circuit.ended(circuit.time(), &why);
    EXPECT_FALSE(circuit.is_open());
  }
}

TEST(Circuit, AProbeThatTakesItsTimeMakesRoomForTheNext) {
  TurnedClock clock;
  Circuit circuit(clock);
  circuit.failed();
  clock.advance(Circuit::kFirstPause);
  EXPECT_TRUE(circuit.admits());
  EXPECT_FALSE(circuit.admits());
  clock.advance(Circuit::kProbeTime);
  EXPECT_TRUE(circuit.admits());
  EXPECT_FALSE(circuit.admits()) << "one at a time";
}

Task<void> note_admission(Circuit& circuit, std::vector<std::string>& story) {
  const bool admitted = co_await circuit.admits_soon();
  story.emplace_back(admitted ? "admitted" : "refused");
}

Task<std::vector<std::string>> wait_while_a_probe_is_under_way(TurnedClock& clock) {
  Circuit circuit(clock);
  circuit.failed();
  clock.advance(Circuit::kFirstPause);
  std::vector<std::string> story;
  story.emplace_back(circuit.admits() ? "probe" : "no probe");
  Scope scope;
  scope.spawn(note_admission(circuit, story));
  scope.spawn(note_admission(circuit, story));
  co_await sleep_for(30ms);
  story.emplace_back("probe worked");
  circuit.worked();
  co_await scope.join();
  co_return story;
}

TEST(Circuit, WhoCannotDoWithoutTheServerWaitsForTheProbe) {
  TurnedClock clock;
  EXPECT_EQ(run_task(wait_while_a_probe_is_under_way(clock)),
            (std::vector<std::string>{"probe", "probe worked", "admitted", "admitted"}));
}

}  // namespace
}  // namespace wherry
