// Poller: waiting until a file descriptor can be read or written, on one loop, with a time limit.
#pragma once

#include <uv.h>

#include <chrono>
#include <coroutine>

#include "common/async/deadline.h"
#include "common/async/loop.h"
#include "common/base/error.h"

namespace wherry {

/// Watches one descriptor for one waiter at a time. Stays armed between waits: a keep-alive connection that is served
/// at once costs no epoll_ctl at all.
class Poller {
 public:
  /// Watches `fd`, which its owner keeps open until this is gone.
  Poller(Loop& loop, int fd);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  enum Direction { kReadable = UV_READABLE, kWritable = UV_WRITABLE };

  /// Awaitable: Result<void>, ready when the direction is (or the descriptor failed: the next call on it says how).
  /// With `already` there is nothing to wait for. Errors: kTimeout after `limit`, kClosed when close() was called.
  auto wait(Direction direction, std::chrono::milliseconds limit, bool already = false) {
    struct Awaiter {
      Poller& poller;
      Direction direction;
      std::chrono::milliseconds limit;
      bool already;
      bool await_ready() const noexcept { return already || poller.closed_; }
      void await_suspend(std::coroutine_handle<> handle) const { poller.start(direction, limit, handle); }
      Result<void> await_resume() const {
        if (already && !poller.closed_) return {};
        return poller.outcome();
      }
    };
    return Awaiter{*this, direction, limit, already};
  }

  /// Ends the present wait, and every later one, with kClosed.
  void close();
  bool closed() const { return closed_; }
  bool waiting() const { return static_cast<bool>(waiter_); }

 private:
  struct Handle {
    uv_poll_t poll{};
    Poller* owner = nullptr;
  };

  void start(Direction direction, std::chrono::milliseconds limit, std::coroutine_handle<> handle);
  Result<void> outcome() const;
  void wake();
  void on_event();

  Loop& loop_;
  Handle* handle_;
  std::coroutine_handle<> waiter_;
  Deadline deadline_;
  int armed_ = 0;
  bool timed_out_ = false;
  bool closed_ = false;
};

}  // namespace wherry
