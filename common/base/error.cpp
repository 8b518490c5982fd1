#include "common/base/error.h"

#include <cerrno>
#include <system_error>

namespace wherry {

Error system_error(int errno_value, std::string_view what) {
  const bool full = errno_value == ENOSPC || errno_value == EDQUOT;
  return Error(full ? ErrorKind::kNoSpace : ErrorKind::kIo, "{}: {}", what,
               std::generic_category().message(errno_value));
}

}  // namespace wherry
