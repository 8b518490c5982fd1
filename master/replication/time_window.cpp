#include "master/replication/time_window.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/oci/excerpt.h"

namespace wherry::replication {
namespace {

constexpr std::array<std::string_view, 7> kDayNames = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr int kMinutesADay = 24 * 60;

/// Reads HH:MM, up to 24:00.
std::optional<int> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0, 1, 3, 4})
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (minutes > 59 || hours * 60 + minutes > kMinutesADay) return std::nullopt;
  return hours * 60 + minutes;
}

std::string text_of(int minute) { return fmt::format("{:02}:{:02}", minute / 60, minute % 60); }

}  // namespace

Result<TimeWindow> TimeWindow::parse(const std::vector<std::string>& days, std::string_view from, std::string_view to) {
  TimeWindow window;
  const auto begin = minute_of(from);
  const auto end = minute_of(to);
  if (!begin || *begin == kMinutesADay || !end)
    return Error(ErrorKind::kInvalid, "from {} to {}: times are written as 22:00", excerpt(from), excerpt(to));
  window.from_minute = *begin;
  window.to_minute = *end;
  for (const std::string& day : days) {
    const auto found = std::ranges::find(kDayNames, day);
    if (found == kDayNames.end())
      return Error(ErrorKind::kInvalid, "{} is none of sun, mon, tue, wed, thu, fri, sat", excerpt(day));
    window.days.set(static_cast<std::size_t>(found - kDayNames.begin()));
  }
  if (days.empty()) window.days.set();
  return window;
}

bool TimeWindow::is_open(WallTime time) const {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const auto minute = static_cast<int>(std::chrono::floor<std::chrono::minutes>(time - day).count());
  const unsigned today = std::chrono::weekday(day).c_encoding();
  const unsigned yesterday = (today + 6) % 7;
  if (from_minute < to_minute) return days.test(today) && minute >= from_minute && minute < to_minute;
  return (days.test(today) && minute >= from_minute) || (days.test(yesterday) && minute < to_minute);
}

std::vector<std::string> TimeWindow::day_names() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kDayNames.size(); ++i)
    if (days.test(i)) names.emplace_back(kDayNames[i]);
  return names;
}

std::string TimeWindow::from() const { return text_of(from_minute); }
std::string TimeWindow::to() const { return text_of(to_minute); }

bool any_open(const std::vector<TimeWindow>& windows, WallTime time) {
  return windows.empty() || std::ranges::any_of(windows, [&](const auto& window) { return window.is_open(time); });
}

}  // namespace wherry::replication
