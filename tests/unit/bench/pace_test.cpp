#include "bench/load/pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry::bench {
namespace {

using std::chrono::milliseconds;
using wherry::testing::run_task;

struct Counted {
  std::uint64_t running = 0;
  std::uint64_t most_running = 0;
  std::vector<std::uint64_t> numbers;
};

Task<Result<Done>> take(Counted& counted, milliseconds duration, std::uint64_t number) {
  counted.numbers.push_back(number);
  counted.most_running = std::max(counted.most_running, ++counted.running);
  co_await sleep_for(duration);
  --counted.running;
  if (number == 3) co_return Error(ErrorKind::kUpstream, "the third");
  co_return Done{10, milliseconds(1)};
}

Task<Tally> pace_out(Pace pace, Counted& counted, milliseconds duration) {
  const Target nobody{SocketAddress::parse("127.0.0.1:1").value(), "nobody"};
  const Operation operation = [&](Client&, std::uint64_t number) { return take(counted, duration, number); };
  Tally tally;
  co_await run_paced(nobody, pace, operation, tally);
  co_return tally;
}

TEST(Pace, AClosedLoopDoesEachOnceWithSoManyAtATime) {
  Counted counted;
  const Tally tally = run_task(pace_out({.clients = 4, .requests = 22}, counted, milliseconds(2)));
  EXPECT_EQ(counted.numbers.size(), 22U);
  EXPECT_EQ(std::set<std::uint64_t>(counted.numbers.begin(), counted.numbers.end()).size(), 22U);
  EXPECT_EQ(counted.most_running, 4U);
  EXPECT_EQ(tally.whole.count(), 22U);
  EXPECT_EQ(tally.bytes, 210U);
  EXPECT_EQ(tally.errors, 1U);
  EXPECT_EQ(tally.first_error, "the third");
}

TEST(Pace, AnOpenLoopBeginsNoneBeforeItIsDue) {
  Counted counted;
  const Tally tally = run_task(pace_out({.clients = 8, .requests = 20, .per_second = 200}, counted, milliseconds(1)));
  EXPECT_GE(tally.took, milliseconds(95));
}

TEST(Pace, InAnOpenLoopWaitingForAFreeClientCounts) {
  Counted counted;
  // Each takes 20 ms and is due 5 ms after the one before: the tenth waits for nine others.
  const Tally tally = run_task(pace_out({.clients = 1, .requests = 10, .per_second = 200}, counted, milliseconds(20)));
  EXPECT_GE(tally.whole.max(), milliseconds(10 * 20 - 9 * 5));
}

}  // namespace
}  // namespace wherry::bench
