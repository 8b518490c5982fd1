#include "common/base/core_files.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <optional>

#include "common/base/check.h"

namespace wherry {
namespace {

/// The soft limit alone is set: one below the hard limit can be put back.
std::optional<rlim_t> g_limit_found;

void set_limit(rlim_t soft) {
  rlimit limit{};
  WHERRY_CHECK(::getrlimit(RLIMIT_CORE, &limit) == 0);
  if (!g_limit_found) g_limit_found = limit.rlim_cur;
  limit.rlim_cur = soft;
  WHERRY_CHECK(::setrlimit(RLIMIT_CORE, &limit) == 0);
}

}  // namespace

void forbid_core_files() {
  WHERRY_CHECK(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);  // holds where the kernel gives cores to a program, too
  set_limit(0);
}

void allow_core_files() {
  WHERRY_CHECK(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
  if (g_limit_found) set_limit(*g_limit_found);
}

}  // namespace wherry
