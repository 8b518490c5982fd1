#include "master/replication/cron.h"

#include <array>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/lower_case.h"
#include "common/oci/excerpt.h"

namespace wherry::replication {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/// What one field may hold; names[i] stands for least + i.
struct Field {
  std::string_view name;
  unsigned least;
  unsigned most;
  std::span<const std::string_view> names{};
};

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<unsigned> value_of(const Field& field, std::string_view text) {
  const std::string lower = lower_case(text);
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (field.names[i] == lower) return field.least + static_cast<unsigned>(i);
  const auto number = parse_decimal(text, field.most);
  if (!number || *number < field.least) return std::nullopt;
  return static_cast<unsigned>(*number);
}

/// Reads a field into the values that it means.
Result<std::vector<unsigned>> read_field(const Field& field, std::string_view text) {
  const Error wrong(ErrorKind::kInvalid, "the {} {} is not in cron's form, with numbers from {} to {}", field.name,
                    excerpt(text), field.least, field.most);
  std::vector<unsigned> values;
  for (std::string_view item : split(text, ',')) {
    unsigned step = 1;
    const auto slash = item.find('/');
    if (slash != std::string_view::npos) {
      const auto number = parse_decimal(item.substr(slash + 1), field.most);
      if (!number || *number == 0) return wrong;
      step = static_cast<unsigned>(*number);
      item = item.substr(0, slash);
    }
    unsigned first = field.least;
    unsigned last = field.most;
    if (item != "*") {
      const auto dash = item.find('-');
      const auto from = value_of(field, item.substr(0, dash));
      if (!from) return wrong;
      first = *from;
      if (dash != std::string_view::npos) {
        const auto to = value_of(field, item.substr(dash + 1));
        if (!to || *to < first) return wrong;
        last = *to;
      } else if (slash == std::string_view::npos) {
        last = first;
      }
    }
    for (unsigned value = first; value <= last; value += step) values.push_back(value);
  }
  return values;
}

constexpr std::array<Field, 5> kFields = {{{"minute", 0, 59},
                                           {"hour", 0, 23},
                                           {"day of the month", 1, 31},
                                           {"month", 1, 12, kMonths},
                                           {"day of the week", 0, 7, kDays}}};

}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view text) {
  if (text.size() > kMaxBytes) return Error(ErrorKind::kInvalid, "a schedule has at most {} characters", kMaxBytes);
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(text, ' '))
    if (!part.empty()) parts.push_back(part);
  if (parts.size() != kFields.size())
    return Error(ErrorKind::kInvalid, "a schedule has five fields, such as '30 2 * * *': {}", excerpt(text));
  CronSchedule schedule;
  schedule.text_ = text;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    const auto values = read_field(kFields[i], parts[i]);
    if (!values) return values.error();
    for (const unsigned value : *values) {
      if (i == 0) schedule.minutes_.set(value);
      if (i == 1) schedule.hours_.set(value);
      if (i == 2) schedule.days_.set(value);
      if (i == 3) schedule.months_.set(value);
      if (i == 4) schedule.weekdays_.set(value % 7);
    }
  }
  schedule.any_day_ = parts[2].starts_with('*');
  schedule.any_weekday_ = parts[4].starts_with('*');
  if (!schedule.next_after(WallTime{}))
    return Error(ErrorKind::kInvalid, "the schedule {} means no day that there is", excerpt(text));
  return schedule;
}

bool CronSchedule::has_day(std::chrono::sys_days day) const {
  const std::chrono::year_month_day date(day);
  if (!months_.test(static_cast<unsigned>(date.month()))) return false;
  const bool by_day = days_.test(static_cast<unsigned>(date.day()));
  const bool by_weekday = weekdays_.test(std::chrono::weekday(day).c_encoding());
  if (any_day_ || any_weekday_) return by_day && by_weekday;
  return by_day || by_weekday;
}

std::optional<WallTime> CronSchedule::next_after(WallTime time) const {
  const auto first = std::chrono::floor<std::chrono::minutes>(time) + std::chrono::minutes(1);
  const auto first_day = std::chrono::floor<std::chrono::days>(first);
  for (int i = 0; i < kSearchedDays; ++i) {
    const auto day = first_day + std::chrono::days(i);
    if (!has_day(day)) continue;
    const int from = i == 0 ? static_cast<int>((first - day) / std::chrono::minutes(1)) : 0;
    for (int minute = from; minute < 24 * 60; ++minute)
      if (hours_.test(static_cast<std::size_t>(minute / 60)) && minutes_.test(static_cast<std::size_t>(minute % 60)))
        return WallTime(day + std::chrono::minutes(minute));
  }
  return std::nullopt;
}

}  // namespace wherry::replication
