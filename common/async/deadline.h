// Deadlines for many waits that nearly always end in time: arming costs a list insertion, no system call, no timer.
#pragma once

#include <uv.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

namespace wherry {

class DeadlineWheel;

/// One deadline: when its time comes `on_expired` is called on the loop, once for each arming. Disarms when destroyed.
class Deadline {
 public:
  using Callback = void (*)(void* context);
  Deadline(Callback callback, void* context) : callback_(callback), context_(context) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  /// (Re)sets the time from now; it comes at most two ticks (of 250 ms) late, never early. O(1).
  void arm(DeadlineWheel& wheel, std::chrono::milliseconds after);
  void disarm();
  bool armed() const { return prev_ != nullptr; }

 private:
  friend class DeadlineWheel;
  Callback callback_;
  void* context_;
  Deadline** prev_ = nullptr;  // the pointer that points here
  Deadline* next_ = nullptr;
  std::uint64_t due_tick_ = 0;
};

/// A hashed wheel (Varghese and Lauck 1987, scheme 6) turned by one timer of the loop; the timer rests from the first
/// tick that finds the wheel empty until something is armed again.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{250};
  explicit DeadlineWheel(uv_loop_t* loop);
  ~DeadlineWheel();
  /// Stops the timer; for the end of a loop.
  void close();

 private:
  friend class Deadline;
  void insert(Deadline& deadline, std::uint64_t due_tick);
  void turn();
  bool empty() const;
  std::uint64_t current_tick() const;

  static constexpr std::size_t kSlots = 512;
  uv_loop_t* loop_;
  uv_timer_t timer_{};
  std::array<Deadline*, kSlots> slots_{};
  std::uint64_t turned_to_ = 0;
};

}  // namespace wherry
