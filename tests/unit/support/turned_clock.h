// A clock that a test turns.
#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace wherry::testing {

class TurnedClock final : public Clock {
 public:
  Monotonic monotonic() const override { return Monotonic(std::chrono::hours(1)) + passed_; }
  WallTime wall() const override {
    return WallTime(std::chrono::hours(24 * 365 * 50)) + std::chrono::duration_cast<std::chrono::milliseconds>(passed_);
  }
  void advance(Duration time) { passed_ += time; }

 private:
  Duration passed_{0};
};

}  // namespace wherry::testing
