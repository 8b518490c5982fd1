#include "common/async/loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::fresh_loop;
using testing::run_task;

TEST(Loop, IsTheCurrentOneOnlyWhileItRuns) {
  EXPECT_EQ(Loop::try_current(), nullptr);
  Loop& loop = fresh_loop();
  Loop* seen = nullptr;
  loop.post([&] {
    seen = &Loop::current();
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(seen, &loop);
  EXPECT_EQ(Loop::try_current(), nullptr);
}

TEST(Loop, WhatWasPostedBeforeStopRunsInItsOrder) {
  Loop& loop = fresh_loop();
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) loop.post([&order, i] { order.push_back(i); });
  loop.stop();
  loop.run();
  EXPECT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(Loop, WhatPostedWorkHeldIsGoneOnceItRan) {
  auto held = std::make_shared<int>(1);
  {
    Loop loop;
    loop.post([held] {});
    loop.stop();
    loop.run();
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Loop, MessagesOfManyThreadsArriveAllOnceAndEachThreadsInOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20000;
  Loop& loop = fresh_loop();
  std::vector<std::vector<int>> arrived(kThreads);
  int total = 0;
  std::vector<std::thread> senders;
  for (int t = 0; t < kThreads; ++t)
    senders.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i)
        loop.post([&, t, i] {
          arrived[static_cast<std::size_t>(t)].push_back(i);
          if (++total == kThreads * kEach) loop.stop();
        });
    });
  loop.run();
  for (auto& sender : senders) sender.join();
  for (const auto& numbers : arrived) {
    EXPECT_EQ(numbers.size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::ranges::is_sorted(numbers));
  }
}

Task<void> bounce(Loop& there, int times, std::atomic<int>& wrong_places) {
  Loop& home = Loop::current();
  for (int i = 0; i < times; ++i) {
    co_await there.enter();
    if (&Loop::current() != &there) ++wrong_places;
    co_await there.enter();  // it is there already
    co_await home.enter();
    if (&Loop::current() != &home) ++wrong_places;
  }
}

TEST(Loop, ACoroutineGoesFromLoopToLoopAndBackAsOftenAsItLikes) {
  Loop& there = fresh_loop();
  std::thread thread([&] { there.run(); });
  std::atomic<int> wrong_places = 0;
  run_task(bounce(there, 5000, wrong_places));
  there.stop();
  thread.join();
  EXPECT_EQ(wrong_places, 0);
}

Task<void> take_turns(std::string& turns, char name, int times) {
  for (int i = 0; i < times; ++i) {
    turns.push_back(name);
    co_await Loop::current().yield();
  }
}

Task<std::string> three_that_yield() {
  std::string turns;
  Scope scope;
  for (const char name : {'a', 'b', 'c'}) scope.spawn(take_turns(turns, name, 4));
  co_await scope.join();
  co_return turns;
}

TEST(Loop, ThoseWhoYieldTakeTurns) { EXPECT_EQ(run_task(three_that_yield()), "abcabcabcabc"); }

Task<void> yield_until(const bool& done, std::uint64_t& turns) {
  while (!done && turns < 10'000'000) {
    ++turns;
    co_await Loop::current().yield();
  }
}

Task<std::uint64_t> timer_beside_a_yielder() {
  bool done = false;
  std::uint64_t turns = 0;
  Scope scope;
  scope.spawn(yield_until(done, turns));
  co_await sleep_for(std::chrono::milliseconds(20));
  done = true;
  co_await scope.join();
  co_return turns;
}

TEST(Loop, WhoYieldsForEverDoesNotStopTimersAndIsNotStoppedByThem) {
  const auto turns = run_task(timer_beside_a_yielder());
  EXPECT_GT(turns, 10u);
  EXPECT_LT(turns, 10'000'000u);
}

Task<void> set_soon(Event& event) {
  event.set();
  co_return;
}

Task<bool> wake_without_sleep() {
  Event event;
  const auto before = Clock::system().monotonic();
  for (int i = 0; i < 1000; ++i) {
    event.reset();
    Scope scope;
    scope.spawn(set_soon(event));
    co_await event.wait();
    co_await scope.join();
  }
  co_return Clock::system().monotonic() - before < std::chrono::seconds(5);
}

TEST(Loop, WhatIsReadyRunsBeforeTheLoopSleeps) { EXPECT_TRUE(run_task(wake_without_sleep())); }

}  // namespace
}  // namespace wherry
