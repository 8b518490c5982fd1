#include "common/async/some_at_a_time.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

struct Work {
  std::vector<std::size_t> done;
  std::size_t running = 0;
  std::size_t most = 0;
  std::size_t fails_at = SIZE_MAX;

  Task<Result<void>> one(std::size_t number) {
    most = std::max(most, ++running);
    co_await sleep_for(std::chrono::milliseconds(1));
    --running;
    done.push_back(number);
    if (number == fails_at) co_return Error(ErrorKind::kInvalid, "number {}", number);
    co_return Result<void>();
  }
};

Task<Result<void>> run(Work* work, std::size_t count, std::size_t at_a_time) {
  const NumberedWork each = [work](std::size_t number) { return work->one(number); };
  co_return co_await for_each_below(count, at_a_time, each);
}

TEST(SomeAtATime, AllAreDoneAndNeverMoreThanAllowedAtATime) {
  Work work;
  EXPECT_TRUE(testing::run_task(run(&work, 20, 3)));
  EXPECT_EQ(work.done.size(), 20u);
  EXPECT_EQ(work.most, 3u);
  EXPECT_TRUE(testing::run_task(run(&work, 0, 3)));
}

TEST(SomeAtATime, AnErrorEndsItOnceWhatRunsHasEnded) {
  Work work;
  work.fails_at = 4;
  const auto outcome = testing::run_task(run(&work, 100, 4));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message(), "number 4");
  EXPECT_LT(work.done.size(), 12u);
  EXPECT_EQ(work.running, 0u);
}

}  // namespace
}  // namespace wherry
