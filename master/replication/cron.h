// CronSchedule: the times that five fields of cron mean. Pure.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::replication {

/// "minute hour day-of-month month day-of-week", in UTC: `*`, numbers, ranges, lists, steps, and the English names of
/// months and days in three letters. Sunday is 0 and 7. When both days are restricted either may fit, as in POSIX cron.
/// Own, for no library of Debian reads cron's fields.
class CronSchedule {
 public:
  static constexpr std::size_t kMaxBytes = 256;

  /// Errors: kInvalid, naming the field that is wrong; also for a date that never comes (30 February).
  static Result<CronSchedule> parse(std::string_view text);

  const std::string& text() const { return text_; }
  /// The first time after `time`, to the minute; nothing within kSearchedDays.
  std::optional<WallTime> next_after(WallTime time) const;

 private:
  static constexpr int kSearchedDays = 366 * 8;  ///< 29 February may be eight years away
  CronSchedule() = default;
  bool has_day(std::chrono::sys_days day) const;

  std::string text_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = false;
  bool any_weekday_ = false;
};

}  // namespace wherry::replication
