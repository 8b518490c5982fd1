#include "common/async/task.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "common/async/frame_pool.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::run_task;

Task<int> count_to(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await count_to(depth - 1);
  co_return below + 1;
}

Task<int> count_in_turn(int times) {
  int count = 0;
  for (int i = 0; i < times; ++i) count += co_await count_to(1);
  co_return count;
}

Task<void> note(bool& ran) {
  ran = true;
  co_return;
}

Task<std::unique_ptr<int>> give() { co_return std::make_unique<int>(7); }

Task<void> fail(std::string why) {
  if (!why.empty()) throw std::runtime_error(why);
  co_return;
}

Task<std::string> caught() {
  try {
    co_await fail("thrown");
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing";
}

/// Counts how many of it live: whatever a frame holds must die with it.
struct Counted {
  explicit Counted(int& count) : living(count) { ++living; }
  Counted(const Counted& other) : living(other.living) { ++living; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --living; }
  int& living;
};

Task<void> hold(Counted counted) {
  const Counted another = counted;
  co_return;
}

TEST(Task, DoesNothingUntilItIsAwaited) {
  bool ran = false;
  {
    const Task<void> dropped = note(ran);
    EXPECT_FALSE(ran);
  }
  EXPECT_FALSE(ran);
  run_task(note(ran));
  EXPECT_TRUE(ran);
}

TEST(Task, AwaitsInsideEachOtherAndInTurnCostNoStack) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer keeps a stack of its own, which no resumption ends";
#endif
  EXPECT_EQ(run_task(count_to(20000)), 20000);
  EXPECT_EQ(run_task(count_in_turn(200000)), 200000);
}

TEST(Task, GivesWhatCanOnlyBeMoved) { EXPECT_EQ(*run_task(give()), 7); }

TEST(Task, AnExceptionComesOutWhereItIsAwaited) {
  EXPECT_EQ(run_task(caught()), "thrown");
  EXPECT_THROW(run_task(fail("up to the top")), std::runtime_error);
}

TEST(Task, WhatAFrameHoldsDiesWithIt) {
  int living = 0;
  run_task(hold(Counted(living)));
  EXPECT_EQ(living, 0);
  {
    const Task<void> never_run = hold(Counted(living));
    EXPECT_EQ(living, 1);
  }
  EXPECT_EQ(living, 0);
}

TEST(Task, AssigningDropsTheTaskThatWasThere) {
  int living = 0;
  Task<void> task = hold(Counted(living));
  task = hold(Counted(living));
  EXPECT_EQ(living, 1);
  run_task(std::move(task));
  EXPECT_EQ(living, 0);
}

TEST(FramePool, FramesOfOneSizeAreUsedAgainAndNeverShared) {
  for (const std::size_t size : {1u, 64u, 65u, 2048u, 2049u, 100000u}) {
    void* first = allocate_frame(size);
    void* second = allocate_frame(size);
    EXPECT_NE(first, second);
    std::memset(first, 0xaa, size);
    std::memset(second, 0xbb, size);
    free_frame(first, size);
    free_frame(second, size);
  }
}

}  // namespace
}  // namespace wherry
