// Scope: owns the tasks that it starts, and ends only after all of them ended.
#pragma once

#include <cstddef>

#include "common/async/event.h"
#include "common/async/task.h"

namespace wherry {

/// Starts tasks on the current loop and waits for them. A Scope that is destroyed while a task of it runs aborts: join
/// first. An exception that leaves a task is logged; it ends that task alone.
class Scope {
 public:
  Scope() = default;
  ~Scope() { WHERRY_CHECK(running_ == 0); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Starts `task` now; returns when it first waits.
  void spawn(Task<void> task);
  std::size_t running() const { return running_; }

  /// Waits until no task runs. The owner first closes whatever its tasks wait for.
  Task<void> join();

 private:
  struct Runner;
  static Runner run(Scope& scope, Task<void> task);
  void ended();

  std::size_t running_ = 0;
  Event idle_;
};

}  // namespace wherry
