// Semaphore: so many coroutines of a loop at a time, in the order in which they came.
#pragma once

#include <deque>
#include <utility>

#include "common/async/loop.h"

namespace wherry {

/// For what should be done by a few at once. One loop only; outlives who holds it.
class Semaphore {
 public:
  explicit Semaphore(std::size_t at_once) : free_(at_once) {}

  class Held {
   public:
    Held() = default;
    explicit Held(Semaphore& semaphore) : semaphore_(&semaphore) {}
    Held(Held&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
      if (this != &other) {
        end();
        semaphore_ = std::exchange(other.semaphore_, nullptr);
      }
      return *this;
    }
    ~Held() { end(); }
    /// On the loop of its Semaphore.
    void end() {
      if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back();
    }

   private:
    Semaphore* semaphore_ = nullptr;
  };

  /// `const auto held = co_await semaphore.take();`
  auto take() {
    struct Awaiter {
      Semaphore& semaphore;
      bool await_ready() const noexcept {
        if (semaphore.free_ == 0) return false;
        --semaphore.free_;
        return true;
      }
      void await_suspend(std::coroutine_handle<> handle) const { semaphore.waiting_.push_back(handle); }
      Held await_resume() const { return Held(semaphore); }
    };
    return Awaiter{*this};
  }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  void give_back() {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    const auto next = waiting_.front();
    waiting_.pop_front();
    Loop::current().resume_soon(next);  // it is his now
  }

  std::size_t free_;
  std::deque<std::coroutine_handle<>> waiting_;
};

}  // namespace wherry
