// What waiting costs: tasks, the loop, the pool, a fill's bookkeeping.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include "common/async/pool.h"
#include "common/async/run_on_loop.h"
#include "common/store/fill.h"

namespace wherry {
namespace {

/// Repeats `step` on a loop for as long as the benchmark wants.
template <class Step>
Task<int> repeat(benchmark::State& state, const Step& step) {
  for (auto _ : state) {
    Task<void> task = step();
    co_await std::move(task);
  }
  co_return 0;
}

template <class Step>
void run(benchmark::State& state, const Step& step) {
  run_on_loop([&] { return repeat(state, step); });
}

Task<int> number() { co_return 1; }
Task<void> await_a_task() { benchmark::DoNotOptimize(co_await number()); }
void task_in_a_task(benchmark::State& state) { run(state, await_a_task); }
BENCHMARK(task_in_a_task);

Task<void> yield_once() { co_await Loop::current().yield(); }
void turn_of_the_loop(benchmark::State& state) { run(state, yield_once); }
BENCHMARK(turn_of_the_loop);

Task<void> visit(Pool& pool) {
  (void)co_await pool.run([]() -> Result<int> { return 1; });
}
void pool_and_back(benchmark::State& state) {
  Pool pool("bench", 2);
  run(state, [&] { return visit(pool); });
}
BENCHMARK(pool_and_back)->UseRealTime();

/// A writer that moves the front, and as many readers as the argument says that look how far it is.
void front_of_a_fill(benchmark::State& state) {
  constexpr std::uint64_t kSize = std::uint64_t{1} << 62;
  constexpr std::uint64_t kPiece = 64 << 10;
  store::Fill fill(Digest::of(DigestAlgorithm::kSha256, "fill"));
  fill.opened(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)), kSize);
  std::uint64_t front = 0;
  for (auto _ : state) {
    front += kPiece;
    fill.advanced(front);
    for (std::int64_t reader = 0; reader < state.range(0); ++reader)
      benchmark::DoNotOptimize(fill.try_ready(front - kPiece, kPiece, kSize));
  }
}
BENCHMARK(front_of_a_fill)->Arg(1)->Arg(64);

}  // namespace
}  // namespace wherry
