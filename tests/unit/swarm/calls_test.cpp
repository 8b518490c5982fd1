#include "common/swarm/calls.h"

#include <gtest/gtest.h>

#include "common/async/scope.h"
#include "tests/unit/support/run_task.h"

namespace wherry::swarm {
namespace {

using namespace std::chrono_literals;
using testing::run_task;

const Digest kCalledFor = Digest::of(DigestAlgorithm::kSha256, "a blob");

Task<void> listen_to(Calls& calls, std::chrono::milliseconds at_most, std::vector<std::vector<Digest>>& heard) {
  auto blobs = co_await calls.listen("node", at_most);
  heard.push_back(std::move(blobs));
}

Task<void> call_who_listens(std::vector<std::vector<Digest>>& heard, bool& was_there) {
  Calls calls({&Loop::current()});
  Scope scope;
  scope.spawn(listen_to(calls, 1h, heard));
  was_there = co_await calls.call("node", kCalledFor);
  co_await scope.join();
}

TEST(Calls, WhoListensHearsAtOnce) {
  std::vector<std::vector<Digest>> heard;
  bool was_there = false;
  run_task(call_who_listens(heard, was_there));
  EXPECT_TRUE(was_there);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard.front(), std::vector<Digest>{kCalledFor});
}

Task<void> call_between(std::vector<std::vector<Digest>>& heard, bool& stranger, bool& known) {
  Calls calls({&Loop::current()});
  stranger = co_await calls.call("node", kCalledFor);
  co_await listen_to(calls, 1ms, heard);
  known = co_await calls.call("node", kCalledFor);
  known = co_await calls.call("node", kCalledFor);
  co_await listen_to(calls, 1h, heard);
}

TEST(Calls, WhatCameBetweenIsHeardOnceAndNobodyIsCalledWhoNeverListened) {
  std::vector<std::vector<Digest>> heard;
  bool stranger = true;
  bool known = false;
  run_task(call_between(heard, stranger, known));
  EXPECT_FALSE(stranger);
  EXPECT_TRUE(known);
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_TRUE(heard.front().empty());
  EXPECT_EQ(heard.back(), std::vector<Digest>{kCalledFor});
}

Task<void> listen_twice_then_drain(std::vector<std::vector<Digest>>& heard) {
  Calls calls({&Loop::current()});
  Scope scope;
  scope.spawn(listen_to(calls, 1h, heard));
  scope.spawn(listen_to(calls, 1h, heard));  // its first connection is dead: that one's wait is over
  calls.drain();
  co_await scope.join();
  co_await listen_to(calls, 1h, heard);
}

TEST(Calls, NobodyWaitsOnceItDrains) {
  std::vector<std::vector<Digest>> heard;
  run_task(listen_twice_then_drain(heard));
  EXPECT_EQ(heard.size(), 3U);
}

Task<std::vector<bool>> live_twice() {
  Calls calls({&Loop::current()});
  std::vector<bool> is_new;
  for (const std::string life : {"one", "one", "another", "another", "one"}) {
    const bool said = co_await calls.is_new_life("node", life);
    is_new.push_back(said);
  }
  co_return is_new;
}

TEST(Calls, AnotherProcessOfANodesIsNewOnceInAWhile) {
  EXPECT_EQ(run_task(live_twice()), (std::vector<bool>{false, false, true, false, false}));
}

}  // namespace
}  // namespace wherry::swarm
