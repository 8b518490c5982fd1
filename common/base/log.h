// The log: one JSON object a line on stderr, or plain text on a terminal. Writing never blocks a loop: lines go through
// a bounded queue to a thread of their own, and the oldest are dropped (and counted) when nobody reads.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.h"

namespace wherry::log {

enum class Level { kDebug, kInfo, kWarn, kError };

/// A named value of a log line.
struct Field {
  std::string_view name;
  std::string value;
};

/// Starts the log; lines below `level` are left out. Call once, before any thread is started.
void start(Level level);
/// Writes out what is queued and stops.
void stop();

Result<Level> parse_level(std::string_view text);

/// Writes one line: time, level, message and the fields, escaped.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kDebug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kInfo, message, fields);
}
inline void warn(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kWarn, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kError, message, fields);
}

}  // namespace wherry::log
