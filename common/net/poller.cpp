#include "common/net/poller.h"

#include <utility>

#include "common/base/check.h"

namespace wherry {

Poller::Poller(Loop& loop, int fd)
    : loop_(loop),
      handle_(new Handle),
      deadline_(
          [](void* self) {
            auto* poller = static_cast<Poller*>(self);
            poller->timed_out_ = true;
            poller->wake();
          },
          this) {
  handle_->owner = this;
  handle_->poll.data = handle_;
  WHERRY_CHECK(uv_poll_init(loop_.uv(), &handle_->poll, fd) == 0);
}

Poller::~Poller() {
  WHERRY_CHECK(!waiter_);
  uv_poll_stop(&handle_->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void Poller::start(Direction direction, std::chrono::milliseconds limit, std::coroutine_handle<> handle) {
  WHERRY_CHECK(!waiter_);
  waiter_ = handle;
  timed_out_ = false;
  deadline_.arm(loop_.deadlines(), limit);
  if (armed_ == direction) return;
  armed_ = direction;
  uv_poll_start(&handle_->poll, direction,
                [](uv_poll_t* poll, int, int) { static_cast<Handle*>(poll->data)->owner->on_event(); });
}

Result<void> Poller::outcome() const {
  if (closed_) return Error(ErrorKind::kClosed, "the connection was closed");
  if (timed_out_) return Error(ErrorKind::kTimeout, "the other side was silent for too long");
  return {};
}

void Poller::on_event() {
  if (!waiter_) {  // an event that nobody waits for now would come again and again
    uv_poll_stop(&handle_->poll);
    armed_ = 0;
    return;
  }
  deadline_.disarm();
  std::exchange(waiter_, {}).resume();
}

void Poller::wake() {
  deadline_.disarm();
  if (waiter_) loop_.resume_soon(std::exchange(waiter_, {}));
}

void Poller::close() {
  closed_ = true;
  wake();
}

}  // namespace wherry
