#include "common/async/single_flight.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using namespace std::chrono_literals;
using testing::run_task;

Task<int> count(int& runs) {
  ++runs;
  co_await sleep_for(5ms);
  co_return runs;
}

Task<void> join(SingleFlight<int>& flights, std::string key, int& runs, std::vector<int>& outcomes) {
  std::function<Task<int>()> work = [&runs] { return count(runs); };
  const int outcome = co_await flights.join(std::move(key), std::move(work));
  outcomes.push_back(outcome);
}

Task<std::vector<int>> join_many(int& runs) {
  SingleFlight<int> flights({&Loop::current()});
  std::vector<int> outcomes;
  Scope scope;
  for (int i = 0; i < 100; ++i) scope.spawn(join(flights, "one", runs, outcomes));
  co_await scope.join();
  scope.spawn(join(flights, "one", runs, outcomes));  // the first has landed: this is another
  co_await scope.join();
  co_await flights.stop();
  co_return outcomes;
}

TEST(SingleFlight, AHundredWhoWantTheSameGetOneOutcome) {
  int runs = 0;
  std::vector<int> expected(100, 1);
  expected.push_back(2);
  EXPECT_EQ(run_task(join_many(runs)), expected);
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace wherry
