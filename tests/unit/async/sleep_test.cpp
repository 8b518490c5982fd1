#include "common/async/sleep.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/async/scope.h"
#include "common/base/clock.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using namespace std::chrono_literals;
using testing::run_task;

Duration since(Monotonic before) { return Clock::system().monotonic() - before; }

Task<Duration> sleep_and_measure(std::chrono::milliseconds time) {
  const auto before = Clock::system().monotonic();
  co_await sleep_for(time);
  co_return since(before);
}

TEST(Sleep, LastsAsLongAsAsked) {
  EXPECT_GE(run_task(sleep_and_measure(30ms)), 29ms);
  EXPECT_LT(run_task(sleep_and_measure(0ms)), 5s);
}

Task<Duration> work_then_sleep() {
  const auto begun = Clock::system().monotonic();
  while (since(begun) < 60ms) {
  }
  co_return co_await sleep_and_measure(40ms);
}

TEST(Sleep, CountsFromNowHoweverLongTheTurnHasLasted) { EXPECT_GE(run_task(work_then_sleep()), 39ms); }

Task<void> note_after(std::chrono::milliseconds time, std::vector<int>& order, int number) {
  co_await sleep_for(time);
  order.push_back(number);
}

Task<std::vector<int>> three_sleepers() {
  std::vector<int> order;
  Scope scope;
  scope.spawn(note_after(30ms, order, 3));
  scope.spawn(note_after(1ms, order, 1));
  scope.spawn(note_after(15ms, order, 2));
  co_await scope.join();
  co_return order;
}

TEST(Sleep, TheShortestEndsFirst) { EXPECT_EQ(run_task(three_sleepers()), (std::vector{1, 2, 3})); }

Task<void> sleep_on(Sleeper& sleeper, std::chrono::milliseconds time, std::vector<bool>& whole) {
  whole.push_back(co_await sleeper.sleep(time));
}

Task<std::vector<bool>> wake_early_then_not() {
  std::vector<bool> whole;
  Sleeper sleeper;
  Scope scope;
  scope.spawn(sleep_on(sleeper, 1h, whole));
  sleeper.wake();
  sleeper.wake();
  co_await scope.join();
  co_await sleep_on(sleeper, 1ms, whole);  // a wake is for the sleep that it ended alone
  co_return whole;
}

TEST(Sleeper, CanBeWokenEarlyAndSaysSo) { EXPECT_EQ(run_task(wake_early_then_not()), (std::vector{false, true})); }

}  // namespace
}  // namespace wherry
