// A clock that a test turns.
#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace wherry::testing {

class TurnedClock final : public Clock {
 public:
  Monotonic monotonic() const override {
    passed_ += when_asked_;
    return Monotonic(std::chrono::hours(1)) + passed_;
  }
  WallTime wall() const override {
    return WallTime(std::chrono::hours(24 * 365 * 50)) + std::chrono::duration_cast<std::chrono::milliseconds>(passed_);
  }
  void advance(Duration time) { passed_ += time; }
  /// From now on its monotonic time goes on by so much each time that it is asked: for those who wait in a loop.
  void advance_when_asked(Duration time) { when_asked_ = time; }

 private:
  mutable Duration passed_{0};
  Duration when_asked_{0};
};

}  // namespace wherry::testing
