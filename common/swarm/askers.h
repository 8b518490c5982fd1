// Askers: how many ask at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/base/clock.h"

namespace wherry::swarm {

/// Counts each who asks once a second. Of one loop.
class Askers {
 public:
  /// One more asks; `asked_in` is his own, 0 at first. Gives how many asked in this second or in the last one,
  /// whichever were more: one at least.
  std::size_t count(std::int64_t& asked_in, Monotonic now) {
    const std::int64_t this_second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (this_second != second_) {
      last_ = this_second == second_ + 1 ? now_ : 0;
      now_ = 0;
      second_ = this_second;
    }
    if (std::exchange(asked_in, this_second) != this_second) ++now_;
    return std::max({now_, last_, std::size_t{1}});
  }

 private:
  std::int64_t second_ = 0;
  std::size_t now_ = 0;
  std::size_t last_ = 0;
};

}  // namespace wherry::swarm
