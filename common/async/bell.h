// Bell: by which other threads wake one coroutine of a loop.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "common/async/loop.h"
#include "common/async/sleep.h"
#include "common/async/task.h"

namespace wherry {

/// Many rings before they are heard are one; a ring that nobody waits for is heard by the next who waits. Shared with
/// whoever rings it, for it may outlive the one who waits. No allocation to ring.
class Bell : public std::enable_shared_from_this<Bell> {
 public:
  /// Of the current loop.
  static std::shared_ptr<Bell> make() { return std::shared_ptr<Bell>(new Bell(Loop::current())); }

  /// Any thread.
  void ring();
  /// Until it is rung, or at most so long. On its own loop, one at a time.
  Task<void> wait(std::chrono::milliseconds at_most);

 private:
  struct Stroke : Loop::Message {
    Bell* bell = nullptr;
  };
  explicit Bell(Loop& loop) : loop_(loop) { stroke_.bell = this; }
  void heard();

  Loop& loop_;
  Stroke stroke_;
  std::atomic<bool> on_its_way_{false};
  std::shared_ptr<Bell> kept_;  // while the stroke is on its way
  bool was_heard_ = false;
  Sleeper sleeper_;
};

}  // namespace wherry
