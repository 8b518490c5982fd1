#include "common/daemon/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <thread>

#include "tests/unit/support/temp_dir.h"

namespace wherry {
namespace {

using testing::TempDir;
using testing::write_file;

/// In a thread of its own, whose affinity is nobody else's.
unsigned cores_on_the_first_core_alone(const std::string& root) {
  unsigned cores = 0;
  std::thread([&] {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    cpu_set_t all;
    ::sched_getaffinity(0, sizeof(all), &all);
    for (int i = 0; CPU_COUNT(&allowed) == 0; ++i)
      if (CPU_ISSET(i, &all)) CPU_SET(i, &allowed);
    ::sched_setaffinity(0, sizeof(allowed), &allowed);
    cores = usable_cores(root);
  }).join();
  return cores;
}

TEST(Cores, AreThoseThatTheProcessMayRunOn) {
  const TempDir nothing;
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof(all), &all);
  EXPECT_EQ(usable_cores(nothing.path()), static_cast<unsigned>(CPU_COUNT(&all)));
  EXPECT_EQ(cores_on_the_first_core_alone(nothing.path()), 1U);
}

TEST(Cores, AQuotaBoundsThemAndIsRoundedUp) {
  const TempDir root;
  const unsigned all = usable_cores(root.path());
  for (const auto& [text, cores] : {std::pair{"max 100000\n", all},
                                    {"50000 100000\n", 1U},
                                    {"100000 100000\n", 1U},
                                    {"150000 100000\n", std::min(2U, all)},
                                    {"6400000 100000\n", std::min(64U, all)},
                                    {"", all},
                                    {"nonsense\n", all},
                                    {"0 0\n", all}}) {
    write_file(root / "cpu.max", text);
    EXPECT_EQ(usable_cores(root.path()), cores) << text;
  }
}

TEST(Cores, AQuotaOfTheFirstVersionCounts) {
  const TempDir root;
  const unsigned all = usable_cores(root.path());
  std::filesystem::create_directory(root / "cpu");
  write_file(root / "cpu/cpu.cfs_period_us", "100000\n");
  write_file(root / "cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(usable_cores(root.path()), all);
  write_file(root / "cpu/cpu.cfs_quota_us", "80000\n");
  EXPECT_EQ(usable_cores(root.path()), 1U);
}

}  // namespace
}  // namespace wherry
