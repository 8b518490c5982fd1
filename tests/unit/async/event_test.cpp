#include "common/async/event.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::run_task;
using Story = std::vector<std::string>;

Task<void> wait_for(Event& event, Story& story, std::string name) {
  co_await event.wait();
  story.push_back(std::move(name));
}

Task<Story> set_once() {
  Story story;
  Event event;
  Scope scope;
  scope.spawn(wait_for(event, story, "first"));
  scope.spawn(wait_for(event, story, "second"));
  event.set();
  story.push_back("set() returned");
  co_await scope.join();
  co_await event.wait();
  story.push_back("still set");
  event.reset();
  story.push_back(event.is_set() ? "set" : "reset");
  co_return story;
}

TEST(Event, WakesAllInTheirOrderButNotWithinSetAndStaysSet) {
  EXPECT_EQ(run_task(set_once()), (Story{"set() returned", "first", "second", "still set", "reset"}));
}

Task<Story> wake_without_setting() {
  Story story;
  Event event;
  Scope scope;
  event.wake_all();  // nobody waits: nothing is remembered
  scope.spawn(wait_for(event, story, "woken"));
  co_await sleep_for(std::chrono::milliseconds(1));
  story.push_back("waits");
  event.wake_all();
  co_await scope.join();
  story.push_back(event.is_set() ? "set" : "not set");
  co_return story;
}

TEST(Event, WakingLeavesItUnset) { EXPECT_EQ(run_task(wake_without_setting()), (Story{"waits", "woken", "not set"})); }

Task<void> wait_twice(Event& event, int& woken) {
  co_await event.wait();
  ++woken;
  co_await event.wait();
  ++woken;
}

Task<std::vector<int>> wake_once_each() {
  std::vector<int> seen;
  int woken = 0;
  Event event;
  Scope scope;
  scope.spawn(wait_twice(event, woken));
  for (int i = 0; i < 2; ++i) {
    event.wake_all();
    co_await sleep_for(std::chrono::milliseconds(1));
    seen.push_back(woken);
  }
  co_await scope.join();
  co_return seen;
}

TEST(Event, OneWakeIsForThoseWhoWaitThenAlone) { EXPECT_EQ(run_task(wake_once_each()), (std::vector{1, 2})); }

}  // namespace
}  // namespace wherry
