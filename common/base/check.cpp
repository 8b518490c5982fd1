#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace wherry {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "wherry: broken invariant `%s` at %s:%d; this is a bug, please report it\n", condition, file,
               line);
  std::abort();
}

}  // namespace wherry
