#include "common/observe/loop_lag.h"

namespace wherry {

LoopLag::LoopLag(std::vector<Loop*> loops, Metrics& metrics)
    : lag_(metrics.histogram("wherry_loop_lag_seconds", "How late event loops are")) {
  for (Loop* loop : loops) parts_.push_back(std::make_unique<Part>(*loop));
}

void LoopLag::start() {
  for (const auto& part : parts_) scope_.spawn(watch(*part));
}

Task<void> LoopLag::watch(Part& part) {
  Loop& home = Loop::current();
  co_await part.loop.enter();
  while (!part.stopping) {
    const auto before = Clock::system().monotonic();
    const bool whole = co_await part.sleeper.sleep(kEvery);
    if (whole) lag_.observe(Clock::system().monotonic() - before - kEvery);
  }
  co_await home.enter();
}

Task<void> LoopLag::wake(Part& part) {
  Loop& home = Loop::current();
  co_await part.loop.enter();
  part.stopping = true;
  part.sleeper.wake();
  co_await home.enter();
}

Task<void> LoopLag::stop() {
  for (const auto& part : parts_) co_await wake(*part);
  co_await scope_.join();
}

}  // namespace wherry
