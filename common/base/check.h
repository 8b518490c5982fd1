// Invariants: a broken one is a bug, and the process ends before it can do harm.
#pragma once

namespace wherry {

/// Prints the condition and its place on stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace wherry

/// Aborts when `condition` is false. For what our own code promises; never for input from outside.
#define WHERRY_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::wherry::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
