#include "common/daemon/cores.h"

#include <uv.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

namespace wherry {
namespace {

/// Two numbers of microseconds as text: "max" and -1 mean that there is no quota.
unsigned cores_of(const std::string& quota, const std::string& period) {
  const double microseconds = std::strtod(quota.c_str(), nullptr);
  const double each = std::strtod(period.c_str(), nullptr);
  if (microseconds <= 0 || each <= 0) return std::numeric_limits<unsigned>::max();
  return static_cast<unsigned>(std::clamp(std::ceil(microseconds / each), 1.0, 1e6));
}

/// Inside a container the group of its own is what it sees as the root.
unsigned quota_cores(const std::string& root) {
  std::string quota;
  std::string period;
  if (std::ifstream(root + "/cpu.max") >> quota >> period) return cores_of(quota, period);
  std::ifstream(root + "/cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream(root + "/cpu/cpu.cfs_period_us") >> period;
  return cores_of(quota, period);
}

}  // namespace

unsigned usable_cores(const std::string& root) {
  return std::max(1U, std::min(uv_available_parallelism(), quota_cores(root)));
}

}  // namespace wherry
