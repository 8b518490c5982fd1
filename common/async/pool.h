// Pool: threads for work that may block (files, syncs, hashing). There is no other way from a loop to the disk.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "common/async/loop.h"
#include "common/base/error.h"

namespace wherry {

/// A fixed number of threads and a bounded queue. Work that finds the queue full fails with kUnavailable, at once.
class Pool {
 public:
  static constexpr std::size_t kQueueBound = 16384;

  Pool(std::string name, std::size_t threads);
  /// Waits for what is queued.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Awaitable: calls `work` (which gives a Result) on a thread of the pool and goes on on the loop that asked. No
  /// allocation; about 10 us of hand-over. `work` may refer to what the awaiting coroutine owns.
  template <class Work>
  auto run(Work work) {
    return Awaiter<Work>(*this, std::move(work));
  }

 private:
  struct Job {
    Job* next = nullptr;
    void (*run)(Job*) = nullptr;
  };

  template <class Work>
  struct Awaiter : Job, Loop::Message {
    using Outcome = std::invoke_result_t<Work&>;
    Awaiter(Pool& p, Work w) : pool(p), work(std::move(w)) {}

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) {
      handle = waiting;
      home = &Loop::current();
      Job::run = [](Job* job) {
        auto* self = static_cast<Awaiter*>(job);
        try {
          self->outcome.emplace(self->work());
        } catch (const std::exception& exception) {
          self->outcome.emplace(Error(ErrorKind::kInternal, "work in a pool threw: {}", exception.what()));
        }
        self->home->send(*self);
      };
      Message::run = [](Message* message) { static_cast<Awaiter*>(message)->handle.resume(); };
      if (pool.enqueue(*this)) return true;
      outcome.emplace(Error(ErrorKind::kUnavailable, "too much work is waiting for the {} pool", pool.name_));
      return false;
    }
    Outcome await_resume() { return std::move(*outcome); }

    Pool& pool;
    Work work;
    Loop* home = nullptr;
    std::coroutine_handle<> handle;
    std::optional<Outcome> outcome;
  };

  /// An idle thread. The one that slept last is woken first: its caches are warm, and the others sleep on.
  struct Sleeper {
    std::condition_variable woken;
    bool awake = false;
    Sleeper* below = nullptr;
  };

  bool enqueue(Job& job);
  void serve();
  void wake_one();  ///< under the lock

  std::string name_;
  std::mutex mutex_;
  Job* first_ = nullptr;
  Job* last_ = nullptr;
  std::size_t queued_ = 0;
  Sleeper* idle_ = nullptr;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace wherry
