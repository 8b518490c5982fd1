// Mutex: one coroutine of a loop at a time, in the order in which they came.
#pragma once

#include <coroutine>
#include <deque>
#include <utility>

#include "common/async/loop.h"

namespace wherry {

/// For what is looked at, awaited and then changed. One loop only.
class Mutex {
 public:
  class Held {
   public:
    explicit Held(Mutex& mutex) : mutex_(&mutex) {}
    Held(Held&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (mutex_ != nullptr) mutex_->release();
    }

   private:
    Mutex* mutex_;
  };

  /// `const auto held = co_await mutex.lock();`
  auto lock() {
    struct Awaiter {
      Mutex& mutex;
      bool await_ready() const noexcept { return !std::exchange(mutex.is_held_, true); }
      void await_suspend(std::coroutine_handle<> handle) const { mutex.waiting_.push_back(handle); }
      Held await_resume() const { return Held(mutex); }
    };
    return Awaiter{*this};
  }

 private:
  void release() {
    if (waiting_.empty()) {
      is_held_ = false;
      return;
    }
    const auto next = waiting_.front();
    waiting_.pop_front();
    Loop::current().resume_soon(next);  // it is still held: by the next one
  }

  bool is_held_ = false;
  std::deque<std::coroutine_handle<>> waiting_;
};

}  // namespace wherry
