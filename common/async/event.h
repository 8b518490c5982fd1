// Event: what coroutines of one loop wait for.
#pragma once

#include <coroutine>
#include <vector>

#include "common/async/loop.h"

namespace wherry {

/// Wakes those who wait. Once set it stays set until reset. One loop only; who is woken runs soon, not within set().
class Event {
 public:
  bool is_set() const { return set_; }
  void set() {
    set_ = true;
    wake_all();
  }
  void reset() { set_ = false; }
  /// Wakes everyone who waits now, without setting it.
  void wake_all() {
    for (const auto handle : waiting_) Loop::current().resume_soon(handle);
    waiting_.clear();
  }
  auto wait() {
    struct Awaiter {
      Event& event;
      bool await_ready() const noexcept { return event.set_; }
      void await_suspend(std::coroutine_handle<> handle) const { event.waiting_.push_back(handle); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  std::vector<std::coroutine_handle<>> waiting_;
  bool set_ = false;
};

}  // namespace wherry
