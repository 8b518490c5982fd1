// Time as a seam: code asks a Clock, tests hand it one that they turn themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace wherry {

using Duration = std::chrono::nanoseconds;
using Monotonic = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Where time comes from. `monotonic()` for waiting and ages within a process; `wall()` for what is written down.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Monotonic monotonic() const { return std::chrono::steady_clock::now(); }
  virtual WallTime wall() const {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  /// The machine's clocks.
  static const Clock& system();
};

/// Milliseconds since 1970, as stored; and back.
inline std::int64_t to_millis(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime from_millis(std::int64_t millis) { return WallTime(std::chrono::milliseconds(millis)); }

/// RFC 3339 in UTC with milliseconds, e.g. "2026-11-24T14:15:58.123Z".
std::string to_rfc3339(WallTime time);

}  // namespace wherry
