#include "common/base/clock.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wherry {
namespace {

TEST(Clock, TimesAreWrittenInUtcWithMilliseconds) {
  const std::vector<std::pair<std::int64_t, std::string>> cases = {{0, "1970-01-01T00:00:00.000Z"},
                                                                   {1, "1970-01-01T00:00:00.001Z"},
                                                                   {1790000000123, "2026-09-21T14:13:20.123Z"},
                                                                   {951782400000, "2000-02-29T00:00:00.000Z"},
                                                                   {-1, "1969-12-31T23:59:59.999Z"},
                                                                   {-1000, "1969-12-31T23:59:59.000Z"},
                                                                   {-1001, "1969-12-31T23:59:58.999Z"},
                                                                   {253402300799999, "9999-12-31T23:59:59.999Z"}};
  for (const auto& [millis, text] : cases) EXPECT_EQ(to_rfc3339(from_millis(millis)), text);
}

TEST(Clock, StoredMillisecondsAreReadBack) {
  for (const std::int64_t millis :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1790000000123}, INT64_MAX, INT64_MIN})
    EXPECT_EQ(to_millis(from_millis(millis)), millis);
}

TEST(Clock, TheMachinesClockGoesOn) {
  const Clock& clock = Clock::system();
  const auto first = clock.monotonic();
  EXPECT_LE(first, clock.monotonic());
  EXPECT_GT(to_millis(clock.wall()), 1700000000000);
}

}  // namespace
}  // namespace wherry
