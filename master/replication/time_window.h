// TimeWindow: when a policy may use the link. Pure.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::replication {

/// From one time of day to another, in UTC, on some days of the week; one that ends at or before its begin ends on the
/// next day.
struct TimeWindow {
  std::bitset<7> days;  ///< on which it begins; Sunday is 0
  int from_minute = 0;  ///< of the day
  int to_minute = 0;

  /// `days` are mon, tue, ...; none means every day. Times are written 22:00, and 24:00. Errors: kInvalid.
  static Result<TimeWindow> parse(const std::vector<std::string>& days, std::string_view from, std::string_view to);
  bool is_open(WallTime time) const;
  std::vector<std::string> day_names() const;
  std::string from() const;
  std::string to() const;
  friend bool operator==(const TimeWindow&, const TimeWindow&) = default;
};

/// True when one of them is open, or there are none.
bool any_open(const std::vector<TimeWindow>& windows, WallTime time);

}  // namespace wherry::replication
