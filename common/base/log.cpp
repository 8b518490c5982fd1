#include "common/base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <memory>

#include "common/base/clock.h"
#include "common/base/json.h"

namespace wherry::log {
namespace {

constexpr std::size_t kQueuedLines = 8192;

std::shared_ptr<spdlog::details::thread_pool> writer;
std::shared_ptr<spdlog::logger> logger;
bool terminal = false;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warn";
    case Level::kError: return "error";
  }
  return "info";
}

std::string format_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  const std::string time = to_rfc3339(Clock::system().wall());
  std::string line;
  if (terminal) {
    line = fmt::format("{} {:5} {}", time, name_of(level), message);
    for (const Field& field : fields) line += fmt::format(" {}={}", field.name, json_string(field.value));
    return line;
  }
  line = fmt::format(R"({{"time":"{}","level":"{}","message":)", time, name_of(level));
  append_json_string(line, message);
  for (const Field& field : fields) {
    line.push_back(',');
    append_json_string(line, field.name);
    line.push_back(':');
    append_json_string(line, field.value);
  }
  line.push_back('}');
  return line;
}

}  // namespace

void start(Level level) {
  terminal = ::isatty(STDERR_FILENO) == 1;
  writer = std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_pattern("%v");
  logger = std::make_shared<spdlog::async_logger>("wherry", std::move(sink), writer,
                                                  spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::info);
}

void stop() {
  logger.reset();
  writer.reset();
}

Result<Level> parse_level(std::string_view text) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError})
    if (text == name_of(level)) return level;
  return Error(ErrorKind::kInvalid, "log level '{}' is none of debug, info, warn, error", text);
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (!logger || !logger->should_log(to_spdlog(level))) return;
  logger->log(to_spdlog(level), spdlog::string_view_t(format_line(level, message, fields)));
}

}  // namespace wherry::log
