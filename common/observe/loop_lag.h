// LoopLag: how late the loops of a process are.
#pragma once

#include <memory>
#include <vector>

#include "common/async/loop.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/observe/metrics.h"

namespace wherry {

/// Sleeps on every loop and counts how much later than asked it goes on, into wherry_loop_lag_seconds: whatever holds a
/// loop up for long shows there. start() and stop() on the same loop.
class LoopLag {
 public:
  static constexpr std::chrono::milliseconds kEvery{500};

  LoopLag(std::vector<Loop*> loops, Metrics& metrics);
  void start();
  Task<void> stop();

 private:
  struct Part {
    explicit Part(Loop& on) : loop(on) {}
    Loop& loop;
    Sleeper sleeper;
    bool stopping = false;
  };
  Task<void> watch(Part& part);
  static Task<void> wake(Part& part);

  std::vector<std::unique_ptr<Part>> parts_;
  Histogram lag_;
  Scope scope_;
};

}  // namespace wherry
