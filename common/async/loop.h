// Loop: one thread's event loop (libuv), the messages that other threads send it, its timers and deadlines.
#pragma once

#include <uv.h>

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <vector>

#include "common/async/deadline.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry {

/// Runs callbacks and coroutines of one thread. All members are for that thread alone, except where said.
class Loop {
 public:
  /// Something another thread hands over: no allocation, it lives in the sender's frame until `run` is called on it.
  struct Message {
    Message* next = nullptr;
    void (*run)(Message*) = nullptr;
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The loop that this thread runs; aborts on a thread that runs none.
  static Loop& current();
  /// The same, or null.
  static Loop* try_current();

  /// Runs until stop() was called and everything that was posted before it has run. Call on the thread that is to own
  /// it.
  void run();
  /// Any thread: makes run() return.
  void stop();

  /// Any thread: runs the message on this loop. Lock-free; wakes the loop if it sleeps.
  void send(Message& message);
  /// Any thread: runs `work` on this loop. Allocates.
  void post(std::move_only_function<void()> work);

  /// Resumes `handle` before the loop next sleeps, never from within this call.
  void resume_soon(std::coroutine_handle<> handle) { ready_.push_back(handle); }

  /// Awaitable: lets everything else that is ready run first.
  auto yield() {
    struct Awaiter {
      Loop& loop;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) const { loop.resume_next_turn(handle); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

  /// Awaitable from any loop: goes on on this one.
  auto enter() {
    struct Awaiter : Message {
      explicit Awaiter(Loop& target) : loop(target) {}
      Loop& loop;
      std::coroutine_handle<> handle;
      bool await_ready() const noexcept { return Loop::try_current() == &loop; }
      void await_suspend(std::coroutine_handle<> waiting) {
        handle = waiting;
        run = [](Message* self) { static_cast<Awaiter*>(self)->handle.resume(); };
        loop.send(*this);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter(*this);
  }

  /// Coarse deadlines for many waits (see deadline.h).
  DeadlineWheel& deadlines() { return *deadlines_; }

  uv_loop_t* uv() { return &uv_; }
  /// Time at the start of this turn; free to call.
  Monotonic now() const { return Monotonic(std::chrono::milliseconds(uv_now(&uv_))); }

 private:
  void resume_next_turn(std::coroutine_handle<> handle);
  void drain_messages();
  void drain_ready();

  uv_loop_t uv_{};
  uv_async_t wake_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_idle_t next_turn_{};
  std::atomic<Message*> inbox_{nullptr};
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  std::vector<std::coroutine_handle<>> next_ready_;
  std::unique_ptr<DeadlineWheel> deadlines_;
  std::atomic<bool> stopping_{false};
};

}  // namespace wherry
