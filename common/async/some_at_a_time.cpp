#include "common/async/some_at_a_time.h"

#include "common/async/scope.h"

namespace wherry {
namespace {

/// What the workers of one call share.
struct Round {
  const NumberedWork& work;
  std::size_t count;
  std::size_t next = 0;
  Result<void> outcome{};
};

Task<void> work_in(Round& round) {
  while (round.outcome && round.next < round.count) {
    Task<Result<void>> working = round.work(round.next++);
    auto done = co_await std::move(working);
    if (!done && round.outcome) round.outcome = std::move(done);
  }
}

}  // namespace

Task<Result<void>> for_each_below(std::size_t count, std::size_t at_a_time, const NumberedWork& work) {
  Round round{work, count};
  Scope workers;
  for (std::size_t i = 0; i < at_a_time; ++i) workers.spawn(work_in(round));
  co_await workers.join();
  co_return std::move(round.outcome);
}

}  // namespace wherry
