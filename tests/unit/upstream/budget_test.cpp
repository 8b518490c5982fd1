#include "common/upstream/budget.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/request_context.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry {
namespace {

using namespace std::chrono_literals;
using testing::kind_of;
using testing::run_task;
using testing::TurnedClock;

TEST(Budget, RefreshesLeaveTheReserveToWhatIsNotHeld) {
  TurnedClock clock;
  BudgetLimits limits;
  limits.manifests = 10;
  limits.reserve = 4;
  limits.window = 1h;
  Budget budget(limits, clock);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(budget.take_manifest(true));
  const auto refused = budget.take_manifest(true);
  EXPECT_EQ(kind_of(refused), ErrorKind::kUpstreamLimited);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(budget.take_manifest(false));
  EXPECT_EQ(budget.manifests_left(), 0u);
  const auto nothing = budget.take_manifest(false);
  ASSERT_EQ(kind_of(nothing), ErrorKind::kUpstreamLimited);
  EXPECT_EQ(nothing.error().retry_after(), Budget::kLongestClosed);
  clock.advance(1h);
  EXPECT_TRUE(budget.take_manifest(true));
  EXPECT_EQ(budget.manifests_left(), 9u);
}

TEST(Budget, WhatIsGivenBackCanBeTakenAgainButNotInAnotherWindow) {
  TurnedClock clock;
  BudgetLimits limits;
  limits.manifests = 1;
  limits.reserve = 0;
  limits.window = 1h;
  Budget budget(limits, clock);
  const auto first = budget.take_manifest(false);
  ASSERT_TRUE(first);
  EXPECT_FALSE(budget.take_manifest(false));
  budget.give_back_manifest(*first);
  const auto second = budget.take_manifest(false);
  ASSERT_TRUE(second);
  clock.advance(1h);
  EXPECT_TRUE(budget.take_manifest(false));
  budget.give_back_manifest(*second);
  EXPECT_FALSE(budget.take_manifest(false));
}

TEST(Budget, A429ClosesItForItsTime) {
  TurnedClock clock;
  Budget budget({}, clock);
  EXPECT_TRUE(budget.check_open());
  budget.closed_for(30s);
  budget.closed_for(5s);  // never sooner
  const auto closed = budget.check_open();
  ASSERT_EQ(kind_of(closed), ErrorKind::kUpstreamLimited);
  EXPECT_EQ(closed.error().retry_after(), 30s);
  clock.advance(30s);
  EXPECT_TRUE(budget.check_open());
}

constexpr BudgetLimits kOneAtATime = {.concurrent = 1};

Task<void> take(Budget& budget, std::string lane, std::vector<std::string>& order) {
  auto slot = co_await budget.slot(lane);
  order.push_back(slot ? lane : "cancelled");
  if (slot) co_await sleep_for(1ms);
}

Task<std::vector<std::string>> take_in_turn() {
  Budget budget(kOneAtATime);
  std::vector<std::string> order;
  Scope scope;
  for (int i = 0; i < 4; ++i) scope.spawn(take(budget, "large", order));
  scope.spawn(take(budget, "small", order));
  scope.spawn(take(budget, "other", order));
  co_await scope.join();
  co_return order;
}

TEST(Budget, RepositoriesTakeTurnsHoweverMuchOneWants) {
  const std::vector<std::string> expected = {"large", "large", "other", "small", "large", "large"};
  EXPECT_EQ(run_task(take_in_turn()), expected);
}

Task<void> take_as(Budget& budget, std::uint64_t client, std::string repository, std::vector<std::string>& order) {
  RequestContext context;
  context.client = client;
  co_await answer_for(context);
  co_await take(budget, std::move(repository), order);
}

Task<std::vector<std::string>> take_as_clients() {
  Budget budget(kOneAtATime);
  std::vector<std::string> order;
  Scope scope;
  for (const char* repository : {"a", "b", "c", "d"}) scope.spawn(take_as(budget, 1, repository, order));
  scope.spawn(take_as(budget, 2, "x", order));
  scope.spawn(take_as(budget, 2, "y", order));
  co_await scope.join();
  co_return order;
}

TEST(Budget, ClientsTakeTurnsHoweverManyRepositoriesOneWants) {
  EXPECT_EQ(run_task(take_as_clients()), (std::vector<std::string>{"a", "b", "x", "c", "y", "d"}));
}

constexpr BudgetLimits kTwoAtATime = {.concurrent = 2};

Task<void> relay(Budget& budget, Event& read, std::vector<std::string>& order) {
  auto slot = co_await budget.slot("relayed", Budget::Use::kRelay);
  order.emplace_back(slot ? "relay" : "cancelled");
  co_await read.wait();
}

Task<std::vector<std::string>> fill_beside_slow_relays() {
  Budget budget(kTwoAtATime);
  std::vector<std::string> order;
  Event read;
  Scope scope;
  for (int i = 0; i < 3; ++i) scope.spawn(relay(budget, read, order));
  for (int i = 0; i < 3; ++i) co_await take(budget, "fill", order);
  read.set();
  co_await scope.join();
  co_return order;
}

TEST(Budget, FillsGetOnHoweverManySlowRelaysThereAre) {
  EXPECT_EQ(run_task(fill_beside_slow_relays()),
            (std::vector<std::string>{"relay", "fill", "fill", "fill", "relay", "relay"}));
}

Task<std::size_t> wait_as_a_crowd() {
  Budget budget(kOneAtATime);
  std::vector<std::string> order;
  Scope scope;
  std::size_t waiting = 0;
  {
    auto held = co_await budget.slot("first");
    for (std::size_t i = 0; i < Budget::kMostWaitingOfOne; ++i) scope.spawn(take_as(budget, 1, "crowd", order));
    scope.spawn(take_as(budget, 1, "one too many", order));
    scope.spawn(take_as(budget, 2, "another client", order));
    waiting = budget.waiting();
    budget.cancel();
  }
  co_await scope.join();
  co_return waiting;
}

TEST(Budget, OneClientDoesNotTakeAllPlacesToWait) {
  EXPECT_EQ(run_task(wait_as_a_crowd()), Budget::kMostWaitingOfOne + 1);
}

Task<std::vector<std::string>> cancel_those_that_wait() {
  Budget budget(kOneAtATime);
  std::vector<std::string> order;
  Scope scope;
  {
    auto held = co_await budget.slot("first");
    scope.spawn(take(budget, "second", order));
    budget.cancel();
    co_await scope.join();
    scope.spawn(take(budget, "third", order));
    co_await scope.join();
  }
  co_return order;
}

TEST(Budget, WhoWaitsWhenItEndsIsToldSo) {
  EXPECT_EQ(run_task(cancel_those_that_wait()), (std::vector<std::string>{"cancelled", "cancelled"}));
}

Task<Duration> spend_twice() {
  BudgetLimits limits;
  limits.bytes_per_second = 1'000'000;
  Budget budget(limits);
  const auto before = Clock::system().monotonic();
  co_await budget.spend(50'000);
  co_await budget.spend(50'000);
  co_return Clock::system().monotonic() - before;
}

TEST(Budget, BytesTakeTheirTime) { EXPECT_GE(run_task(spend_twice()), 95ms); }

}  // namespace
}  // namespace wherry
