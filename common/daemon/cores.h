// How many cores a process may use.
#pragma once

#include <string>

namespace wherry {

/// The cores that this process may run on (its affinity), and no more than the quota of its control group has, rounded
/// up; at least 1. A container with a limit of 2 on a machine of 64 has 2. `root` is where control groups are mounted:
/// version 2 (cpu.max) or 1 (cpu/cpu.cfs_quota_us). Source: the kernel's cgroup-v2 and sched-bwc documents.
unsigned usable_cores(const std::string& root = "/sys/fs/cgroup");

}  // namespace wherry
