#include "common/async/deadline.h"

#include <algorithm>
#include <utility>

namespace wherry {
namespace {

constexpr auto kTickMillis = static_cast<std::uint64_t>(DeadlineWheel::kTick.count());

}  // namespace

void Deadline::arm(DeadlineWheel& wheel, std::chrono::milliseconds after) {
  disarm();
  const std::uint64_t due = uv_now(wheel.loop_) + static_cast<std::uint64_t>(after.count());
  wheel.insert(*this, std::max((due + kTickMillis - 1) / kTickMillis, wheel.current_tick() + 1));
}

void Deadline::disarm() {
  if (prev_ == nullptr) return;
  *prev_ = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  prev_ = nullptr;
  next_ = nullptr;
}

DeadlineWheel::DeadlineWheel(uv_loop_t* loop) : loop_(loop) {
  uv_timer_init(loop_, &timer_);
  timer_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
}

DeadlineWheel::~DeadlineWheel() {
  for (Deadline* head : slots_)
    while (head != nullptr) {
      Deadline* next = head->next_;
      head->disarm();
      head = next;
    }
}

void DeadlineWheel::close() { uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr); }

std::uint64_t DeadlineWheel::current_tick() const { return uv_now(loop_) / kTickMillis; }

bool DeadlineWheel::empty() const {
  return std::ranges::all_of(slots_, [](const Deadline* head) { return head == nullptr; });
}

void DeadlineWheel::insert(Deadline& deadline, std::uint64_t due_tick) {
  if (!uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_))) {
    turned_to_ = current_tick();
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<DeadlineWheel*>(timer->data)->turn(); }, kTickMillis, kTickMillis);
  }
  Deadline*& head = slots_[due_tick % kSlots];
  deadline.due_tick_ = due_tick;
  deadline.next_ = head;
  deadline.prev_ = &head;
  if (head != nullptr) head->prev_ = &deadline.next_;
  head = &deadline;
}

void DeadlineWheel::turn() {
  const std::uint64_t now = current_tick();
  for (; turned_to_ < now; ++turned_to_) {
    // Callbacks may arm and disarm anything: the slot's list is moved to a head of our own and eaten from its front.
    Deadline* due = std::exchange(slots_[(turned_to_ + 1) % kSlots], nullptr);
    if (due != nullptr) due->prev_ = &due;
    while (due != nullptr) {
      Deadline* deadline = due;
      deadline->disarm();
      if (deadline->due_tick_ > now)
        insert(*deadline, deadline->due_tick_);
      else
        deadline->callback_(deadline->context_);
    }
  }
  if (empty()) uv_timer_stop(&timer_);
}

}  // namespace wherry
