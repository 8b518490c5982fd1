#include "common/async/scope.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::run_task;
using Story = std::vector<std::string>;

Task<void> tell_of_wait(Event& event, Story& story, std::string name) {
  story.push_back(name + " waits");
  co_await event.wait();
  story.push_back(name + " ends");
}

Task<void> fail() {
  throw std::runtime_error("a task's own trouble");
  co_return;
}

Task<Story> spawn_and_join() {
  Story story;
  Event event;
  Scope scope;
  scope.spawn(tell_of_wait(event, story, "a"));
  scope.spawn(tell_of_wait(event, story, "b"));
  story.push_back("running " + std::to_string(scope.running()));
  event.set();
  story.push_back("set");
  co_await scope.join();
  story.push_back("joined " + std::to_string(scope.running()));
  co_return story;
}

TEST(Scope, StartsTasksAtOnceAndJoinsAfterTheLastOfThemEnded) {
  EXPECT_EQ(run_task(spawn_and_join()),
            (Story{"a waits", "b waits", "running 2", "set", "a ends", "b ends", "joined 0"}));
}

Task<Story> fail_beside_others() {
  Story story;
  Event event;
  Scope scope;
  scope.spawn(tell_of_wait(event, story, "a"));
  scope.spawn(fail());
  story.push_back("running " + std::to_string(scope.running()));
  event.set();
  co_await scope.join();
  co_return story;
}

TEST(Scope, AnExceptionEndsItsOwnTaskAlone) {
  EXPECT_EQ(run_task(fail_beside_others()), (Story{"a waits", "running 1", "a ends"}));
}

Task<void> spawn_more(Scope& scope, int depth, int& ended) {
  co_await sleep_for(std::chrono::milliseconds(0));
  if (depth > 0) scope.spawn(spawn_more(scope, depth - 1, ended));
  ++ended;
}

Task<int> join_what_tasks_spawn() {
  int ended = 0;
  Scope scope;
  scope.spawn(spawn_more(scope, 20, ended));
  co_await scope.join();
  co_return ended;
}

TEST(Scope, JoinsWhatItsTasksSpawnedToo) { EXPECT_EQ(run_task(join_what_tasks_spawn()), 21); }

Task<void> sleep_and_note(int& ended) {
  co_await sleep_for(std::chrono::milliseconds(1));
  ++ended;
}

Task<void> spawn_into(Scope& other, Event& event, int& ended) {
  co_await event.wait();
  other.spawn(sleep_and_note(ended));
}

Task<void> end_at(Event& event) { co_await event.wait(); }

Task<int> join_what_comes_at_the_last_moment() {
  int ended = 0;
  Event event;
  Scope scope;
  Scope others;
  scope.spawn(end_at(event));
  others.spawn(spawn_into(scope, event, ended));  // between the end of the one task and the waking of who joins
  event.set();
  co_await scope.join();
  const int when_joined = ended;
  co_await others.join();
  co_await scope.join();
  co_return when_joined;
}

TEST(Scope, WhoJoinsWaitsForWhatWasSpawnedBeforeItWasWoken) {
  EXPECT_EQ(run_task(join_what_comes_at_the_last_moment()), 1);
}

Task<int> join_nothing() {
  Scope scope;
  co_await scope.join();
  co_await scope.join();
  co_return 1;
}

TEST(Scope, WithoutTasksIsJoinedAtOnceAndMoreThanOnce) { EXPECT_EQ(run_task(join_nothing()), 1); }

Task<void> drop_while_running() {
  static Event never;
  Scope scope;
  static Story story;
  scope.spawn(tell_of_wait(never, story, "a"));
  co_return;
}

TEST(ScopeDeathTest, DroppingItWhileATaskRunsIsABugThatEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run_task(drop_while_running()), "running_ == 0");
}

}  // namespace
}  // namespace wherry
