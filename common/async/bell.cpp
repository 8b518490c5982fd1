#include "common/async/bell.h"

#include <utility>

namespace wherry {

void Bell::ring() {
  if (on_its_way_.exchange(true)) return;
  kept_ = shared_from_this();
  stroke_.run = [](Loop::Message* message) { static_cast<Stroke*>(message)->bell->heard(); };
  loop_.send(stroke_);
}

void Bell::heard() {
  const std::shared_ptr<Bell> kept = std::move(kept_);
  on_its_way_.store(false);
  was_heard_ = true;
  sleeper_.wake();
}

Task<void> Bell::wait(std::chrono::milliseconds at_most) {
  if (!was_heard_) co_await sleeper_.sleep(at_most);
  was_heard_ = false;
}

}  // namespace wherry
