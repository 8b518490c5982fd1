#include "common/async/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>

#include "common/async/scope.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::kind_of;
using testing::run_all;
using testing::run_task;

Task<Result<bool>> runs_elsewhere(Pool& pool) {
  const auto here = std::this_thread::get_id();
  auto elsewhere = co_await pool.run([&]() -> Result<bool> { return std::this_thread::get_id() != here; });
  if (here != std::this_thread::get_id()) co_return Error(ErrorKind::kInternal, "did not come back");
  co_return elsewhere;
}

TEST(Pool, WorksOnAThreadOfItsOwnAndComesBack) {
  Pool pool("test", 1);
  EXPECT_TRUE(run_task(runs_elsewhere(pool)).value());
}

Task<Result<int>> throws(Pool& pool) {
  co_return co_await pool.run([]() -> Result<int> { throw std::runtime_error("a library's"); });
}

TEST(Pool, AnExceptionOfTheWorkIsAnError) {
  Pool pool("test", 1);
  const auto outcome = run_task(throws(pool));
  ASSERT_EQ(kind_of(outcome), ErrorKind::kInternal);
  EXPECT_NE(outcome.error().message().find("a library's"), std::string::npos);
}

Task<Result<std::unique_ptr<int>>> gives_a_pointer(Pool& pool) {
  // A name of its own: g++ 12 destroys a temporary with such a capture twice within a co_await.
  auto work = [held = std::make_unique<int>(3)]() mutable -> Result<std::unique_ptr<int>> { return std::move(held); };
  auto moved = co_await pool.run(std::move(work));
  co_return std::move(moved);
}

TEST(Pool, WorkAndResultMayBeMovedOnly) {
  Pool pool("test", 1);
  EXPECT_EQ(*run_task(gives_a_pointer(pool)).value(), 3);
}

Task<Result<int>> note_order(Pool& pool, std::vector<int>& order, int number) {
  co_return co_await pool.run([&, number]() -> Result<int> {
    order.push_back(number);
    return number;
  });
}

TEST(Pool, OneThreadWorksInTheOrderOfTheQueue) {
  Pool pool("test", 1);
  std::vector<int> order;
  std::vector<Task<Result<int>>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(note_order(pool, order, i));
  run_all(std::move(tasks));
  EXPECT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

Task<Result<int>> meet(Pool& pool, std::latch& all_there) {
  co_return co_await pool.run([&]() -> Result<int> {
    all_there.arrive_and_wait();
    return 1;
  });
}

TEST(Pool, AllItsThreadsWorkAtTheSameTime) {
  Pool pool("test", 4);
  std::latch all_there(4);
  std::vector<Task<Result<int>>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(meet(pool, all_there));
  EXPECT_EQ(run_all(std::move(tasks)).size(), 4u);
}

Task<Result<int>> wait_on_thread(Pool& pool, std::latch& started, std::latch& may_end) {
  co_return co_await pool.run([&]() -> Result<int> {
    started.count_down();
    may_end.wait();
    return 0;
  });
}

Task<Result<int>> one_too_many(Pool& pool, std::latch& started, std::latch& may_end) {
  started.wait();  // the thread is busy: what follows stays queued
  std::atomic<int> ran = 0;
  Scope scope;
  std::vector<Result<int>> outcomes(Pool::kQueueBound, Result<int>(0));
  struct Fill {
    static Task<void> one(Pool& pool, std::atomic<int>& ran, Result<int>& outcome) {
      outcome = co_await pool.run([&]() -> Result<int> { return ++ran; });
    }
  };
  for (auto& outcome : outcomes) scope.spawn(Fill::one(pool, ran, outcome));
  auto refused = co_await pool.run([&]() -> Result<int> { return ++ran; });
  may_end.count_down();
  co_await scope.join();
  if (kind_of(refused) != ErrorKind::kUnavailable) co_return Error(ErrorKind::kInternal, "was not refused");
  co_return ran.load();
}

TEST(Pool, WorkThatFindsTheQueueFullIsRefusedAtOnceAndAllElseIsDone) {
  Pool pool("test", 1);
  std::latch started(1);
  std::latch may_end(1);
  std::vector<Task<Result<int>>> tasks;
  tasks.push_back(wait_on_thread(pool, started, may_end));
  tasks.push_back(one_too_many(pool, started, may_end));
  const auto outcomes = run_all(std::move(tasks));
  ASSERT_TRUE(outcomes[1]) << outcomes[1].error().message();
  EXPECT_EQ(*outcomes[1], static_cast<int>(Pool::kQueueBound));
}

}  // namespace
}  // namespace wherry
