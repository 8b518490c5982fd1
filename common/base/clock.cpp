#include "common/base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace wherry {

const Clock& Clock::system() {
  static const Clock clock;
  return clock;
}

std::string to_rfc3339(WallTime time) {
  const std::int64_t millis = to_millis(time);
  const std::time_t seconds = static_cast<std::time_t>(millis >= 0 ? millis / 1000 : (millis - 999) / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis - seconds * 1000);
}

}  // namespace wherry
