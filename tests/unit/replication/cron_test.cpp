#include "master/replication/cron.h"

#include <gtest/gtest.h>

namespace wherry::replication {
namespace {

using namespace std::chrono;

WallTime at(int y, unsigned m, unsigned d, int hour = 0, int minute = 0, int second = 0) {
  return WallTime(sys_days(year(y) / month(m) / day(d)) + hours(hour) + minutes(minute) + seconds(second));
}

TEST(CronSchedule, TellsTheNextTime) {
  struct Case {
    const char* schedule;
    WallTime after;
    WallTime next;
  };
  const Case cases[] = {
      {"* * * * *", at(2026, 11, 28, 10, 0, 30), at(2026, 11, 28, 10, 1)},
      {"* * * * *", at(2026, 11, 28, 10, 0), at(2026, 11, 28, 10, 1)},
      {"30 2 * * *", at(2026, 11, 28, 2, 30), at(2026, 11, 29, 2, 30)},
      {"*/15 8-17 * * mon-fri", at(2026, 11, 28, 9, 0), at(2026, 11, 30, 8, 0)},  // a Saturday
      {"0 0 1 1 *", at(2026, 11, 28), at(2027, 1, 1)},
      {"0 0 29 2 *", at(2097, 1, 1), at(2104, 2, 29)},  // 2100 has none
      {"5,10-12 * * * *", at(2026, 11, 28, 10, 5), at(2026, 11, 28, 10, 10)},
      {"10/20 * * * *", at(2026, 11, 28, 10, 31), at(2026, 11, 28, 10, 50)},
      {"0 12 13 * fri", at(2026, 11, 28), at(2026, 12, 4, 12)},  // either day, as in POSIX
      {"0 12 * jan,JUL 7", at(2026, 11, 28), at(2027, 1, 3, 12)},
  };
  for (const Case& each : cases) {
    const auto schedule = CronSchedule::parse(each.schedule);
    ASSERT_TRUE(schedule) << each.schedule << schedule.error().message();
    EXPECT_EQ(to_rfc3339(schedule->next_after(each.after).value()), to_rfc3339(each.next)) << each.schedule;
  }
}

TEST(CronSchedule, RefusesWhatIsNoScheduleAndNamesTheField) {
  for (const auto& [text, field] : {std::pair("", "five fields"),
                                    {"* * * *", "five fields"},
                                    {"* * * * * *", "five fields"},
                                    {"60 * * * *", "minute"},
                                    {"* 24 * * *", "hour"},
                                    {"* * 0 * *", "day of the month"},
                                    {"* * * 13 *", "month"},
                                    {"* * * * 8", "week"},
                                    {"*/0 * * * *", "minute"},
                                    {"5-1 * * * *", "minute"},
                                    {", * * * *", "minute"},
                                    {"a * * * *", "minute"},
                                    {"-1 * * * *", "minute"},
                                    {"0 0 30 2 *", "no day"},
                                    {"@daily", "five fields"}}) {
    const auto schedule = CronSchedule::parse(text);
    ASSERT_FALSE(schedule) << text;
    EXPECT_NE(schedule.error().message().find(field), std::string::npos) << schedule.error().message();
  }
  EXPECT_FALSE(CronSchedule::parse(std::string(1000, '*')));
}

}  // namespace
}  // namespace wherry::replication
