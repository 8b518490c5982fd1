#include "common/async/scope.h"

#include "common/base/log.h"

namespace wherry {

/// The outermost frame of a spawned task: starts at once and destroys itself at its end.
struct Scope::Runner {
  struct promise_type {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }
    Runner get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { WHERRY_CHECK(!"an exception left a scope's runner"); }
  };
};

Scope::Runner Scope::run(Scope& scope, Task<void> task) {
  try {
    co_await std::move(task);
  } catch (const std::exception& exception) {
    log::error("a task ended by an exception", {{"what", exception.what()}});
  }
  scope.ended();
}

void Scope::spawn(Task<void> task) {
  ++running_;
  run(*this, std::move(task));
}

void Scope::ended() {
  if (--running_ == 0) idle_.wake_all();
}

Task<void> Scope::join() {
  while (running_ != 0) co_await idle_.wait();
}

}  // namespace wherry
