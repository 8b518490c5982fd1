#include "common/async/sleep.h"

namespace wherry {
namespace {

/// A libuv timer that outlives its waiter until libuv has let go of it.
struct Timer {
  uv_timer_t handle{};
  Event* event = nullptr;

  static Timer* start(std::chrono::milliseconds duration, Event& event) {
    auto* timer = new Timer;
    timer->event = &event;
    timer->handle.data = timer;
    uv_update_time(Loop::current().uv());  // the turn may have lasted: the time is from now, not from its start
    uv_timer_init(Loop::current().uv(), &timer->handle);
    uv_timer_start(
        &timer->handle, [](uv_timer_t* handle) { static_cast<Timer*>(handle->data)->event->set(); },
        static_cast<std::uint64_t>(duration.count()), 0);
    return timer;
  }
  void close() {
    uv_timer_stop(&handle);
    uv_close(reinterpret_cast<uv_handle_t*>(&handle),
             [](uv_handle_t* closed) { delete static_cast<Timer*>(closed->data); });
  }
};

}  // namespace

Task<void> sleep_for(std::chrono::milliseconds duration) {
  Event passed;
  Timer* timer = Timer::start(duration, passed);
  co_await passed.wait();
  timer->close();
}

Task<bool> Sleeper::sleep(std::chrono::milliseconds duration) {
  early_ = false;
  woken_.reset();
  Timer* timer = Timer::start(duration, woken_);
  co_await woken_.wait();
  timer->close();
  co_return !early_;
}

void Sleeper::wake() {
  early_ = true;
  woken_.set();
}

}  // namespace wherry
