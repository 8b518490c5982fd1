// Waiting for time to pass.
#pragma once

#include <chrono>

#include "common/async/event.h"
#include "common/async/task.h"

namespace wherry {

/// Waits that long on the current loop, to the millisecond.
Task<void> sleep_for(std::chrono::milliseconds duration);

/// A sleep that its owner can end early: one sleeper at a time.
class Sleeper {
 public:
  /// True when the time passed, false when wake() was called.
  Task<bool> sleep(std::chrono::milliseconds duration);
  void wake();

 private:
  Event woken_;
  bool early_ = false;
};

}  // namespace wherry
