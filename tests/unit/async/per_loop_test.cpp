#include "common/async/per_loop.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::run_task;

Task<std::vector<std::string>> visit_all(std::vector<int> items) {
  Loop* const here = &Loop::current();
  PerLoop<std::vector<int>> parts({here, here, here});
  const auto home = [](int item) { return static_cast<std::size_t>(item) % 3; };
  const auto visit = [](std::vector<int>& part, int item) { part.push_back(item); };
  co_await parts.visit_homes(items, home, visit);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string text;
    for (const int item : parts.part(i)) text += std::to_string(item) + " ";
    found.push_back(text);
  }
  co_return found;
}

TEST(PerLoop, EachItemIsVisitedOnceAtItsHomeInOrder) {
  EXPECT_EQ(run_task(visit_all({5, 0, 3, 2, 8, 6})), (std::vector<std::string>{"0 3 6 ", "", "5 2 8 "}));
  EXPECT_EQ(run_task(visit_all({})), (std::vector<std::string>{"", "", ""}));
}

}  // namespace
}  // namespace wherry
