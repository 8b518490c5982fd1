#include "common/async/loop.h"

#include "common/base/check.h"

namespace wherry {
namespace {

thread_local Loop* current_loop = nullptr;

uv_handle_t* as_handle(auto* handle) { return reinterpret_cast<uv_handle_t*>(handle); }

}  // namespace

Loop::Loop() {
  WHERRY_CHECK(uv_loop_init(&uv_) == 0);
  uv_.data = this;
  wake_.data = prepare_.data = check_.data = next_turn_.data = this;
  WHERRY_CHECK(
      uv_async_init(&uv_, &wake_, [](uv_async_t* wake) { static_cast<Loop*>(wake->data)->drain_messages(); }) == 0);
  uv_prepare_init(&uv_, &prepare_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* prepare) { static_cast<Loop*>(prepare->data)->drain_ready(); });
  uv_check_init(&uv_, &check_);
  uv_check_start(&check_, [](uv_check_t* check) { static_cast<Loop*>(check->data)->drain_ready(); });
  uv_idle_init(&uv_, &next_turn_);
  uv_unref(as_handle(&prepare_));
  uv_unref(as_handle(&check_));
  deadlines_ = std::make_unique<DeadlineWheel>(&uv_);
}

Loop::~Loop() {
  deadlines_->close();
  uv_close(as_handle(&wake_), nullptr);
  uv_close(as_handle(&prepare_), nullptr);
  uv_close(as_handle(&check_), nullptr);
  uv_close(as_handle(&next_turn_), nullptr);
  uv_run(&uv_, UV_RUN_DEFAULT);
  WHERRY_CHECK(uv_loop_close(&uv_) == 0);
}

Loop& Loop::current() {
  WHERRY_CHECK(current_loop != nullptr);
  return *current_loop;
}

Loop* Loop::try_current() { return current_loop; }

void Loop::run() {
  current_loop = this;
  while (!stopping_.load(std::memory_order_acquire)) uv_run(&uv_, UV_RUN_ONCE);
  drain_messages();
  drain_ready();
  uv_run(&uv_, UV_RUN_NOWAIT);
  current_loop = nullptr;
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  uv_async_send(&wake_);
}

void Loop::send(Message& message) {
  Message* head = inbox_.load(std::memory_order_relaxed);
  do {
    message.next = head;
  } while (!inbox_.compare_exchange_weak(head, &message, std::memory_order_release, std::memory_order_relaxed));
  if (head == nullptr) uv_async_send(&wake_);  // whoever pushed onto an empty inbox wakes the loop
}

void Loop::post(std::move_only_function<void()> work) {
  struct Posted : Message {
    std::move_only_function<void()> work;
  };
  auto* posted = new Posted;
  posted->work = std::move(work);
  posted->run = [](Message* message) {
    const std::unique_ptr<Posted> self(static_cast<Posted*>(message));
    self->work();
  };
  send(*posted);
}

void Loop::drain_messages() {
  Message* stack = inbox_.exchange(nullptr, std::memory_order_acquire);
  Message* in_order = nullptr;
  while (stack != nullptr) {
    Message* next = stack->next;
    stack->next = in_order;
    in_order = stack;
    stack = next;
  }
  while (in_order != nullptr) {
    Message* message = in_order;
    in_order = message->next;  // read first: running it may end its life
    message->run(message);
  }
  drain_ready();
}

void Loop::drain_ready() {
  while (!ready_.empty()) {
    running_.swap(ready_);
    for (const auto handle : running_) handle.resume();
    running_.clear();
  }
}

void Loop::resume_next_turn(std::coroutine_handle<> handle) {
  next_ready_.push_back(handle);
  uv_idle_start(&next_turn_, [](uv_idle_t* idle) {
    auto* self = static_cast<Loop*>(idle->data);
    uv_idle_stop(idle);
    // Only those of this turn: who yields again waits for the next one.
    self->ready_.insert(self->ready_.end(), self->next_ready_.begin(), self->next_ready_.end());
    self->next_ready_.clear();
  });
}

}  // namespace wherry
