// What kind of error a Result holds, safe to ask of one that holds a value.
#pragma once

#include <optional>
#include <ostream>

#include "common/base/error.h"

namespace wherry {

/// Shown by its number when an expectation fails.
inline void PrintTo(ErrorKind kind, std::ostream* out) { *out << "ErrorKind(" << static_cast<int>(kind) << ")"; }

namespace testing {

template <class T>
std::optional<ErrorKind> kind_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().kind();
}

}  // namespace testing
}  // namespace wherry
