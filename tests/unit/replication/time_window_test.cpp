#include "master/replication/time_window.h"

#include <gtest/gtest.h>

namespace wherry::replication {
namespace {

using namespace std::chrono;

/// 28 November 2026 is a Saturday.
WallTime saturday(int hour, int minute = 0) {
  return WallTime(sys_days(year(2026) / November / 28) + hours(hour) + minutes(minute));
}

TEST(TimeWindow, OneOverMidnightBelongsToTheDayOnWhichItBegins) {
  const auto window = TimeWindow::parse({"fri"}, "22:00", "06:00").value();
  EXPECT_TRUE(window.is_open(saturday(-1)));
  EXPECT_TRUE(window.is_open(saturday(5, 59)));
  EXPECT_FALSE(window.is_open(saturday(6)));
  EXPECT_FALSE(window.is_open(saturday(23)));
  EXPECT_FALSE(window.is_open(saturday(-3)));
}

TEST(TimeWindow, WithoutDaysItIsOpenOnEach) {
  const auto window = TimeWindow::parse({}, "08:00", "24:00").value();
  EXPECT_FALSE(window.is_open(saturday(7, 59)));
  EXPECT_TRUE(window.is_open(saturday(8)));
  EXPECT_TRUE(window.is_open(saturday(23, 59)));
  EXPECT_TRUE(any_open({}, saturday(3)));
  EXPECT_FALSE(any_open({window}, saturday(3)));
  EXPECT_EQ(window.to(), "24:00");
}

TEST(TimeWindow, RefusesWhatIsNoTimeAndNoDay) {
  for (const auto& [from, to] : {std::pair("8:00", "09:00"),
                                 {"24:00", "01:00"},
                                 {"08:60", "09:00"},
                                 {"", ""},
                                 {"08:00", "24:01"},
                                 {"08:00", "0900"}})
    EXPECT_FALSE(TimeWindow::parse({}, from, to)) << from << to;
  EXPECT_FALSE(TimeWindow::parse({"monday"}, "08:00", "09:00"));
}

}  // namespace
}  // namespace wherry::replication
