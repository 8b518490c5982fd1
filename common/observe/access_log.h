// AccessLog: one line a request, written by a thread of its own.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "common/http/exchange.h"
#include "common/http/server.h"

namespace wherry {

/// What a line says; texts as the client sent them.
struct AccessEntry {
  std::string_view request_id;  ///< the client's X-Request-Id; a made one is written where it is no plain token
  std::string_view method;
  std::string_view path;
  std::string_view remote;
  std::string_view user_agent;
  std::string_view trace_id;
  int status = 0;
  std::uint64_t bytes = 0;
  Source source = Source::kNone;
  http::Exchange::Cut cut = http::Exchange::Cut::kNo;  ///< a field of the line only when it was
  std::optional<Duration> first_byte{};
  Duration took{0};
};

/// Lines are formatted into memory of their threads without allocation and written in batches; while nobody takes them
/// (a pipe that is not read) new ones are dropped and counted. A hostile client makes a line at most kMaxLineBytes long
/// and can put nothing but escaped text into it. Measured: see bench/README.md.
class AccessLog {
 public:
  enum class Form { kJson, kText };
  static constexpr std::size_t kLanes = 8;                           ///< threads that do not wait for each other
  static constexpr std::size_t kLaneBytes = std::size_t{256} << 10;  ///< of lines that wait to be written, a lane
  static constexpr std::size_t kMaxLineBytes = 5 * 1024;
  static constexpr std::size_t kMaxPathBytes = 512;
  static constexpr std::size_t kMaxAgentBytes = 128;
  static constexpr std::size_t kMaxIdBytes = 64;
  static constexpr std::chrono::milliseconds kGatherTime{50};

  /// Writes to `fd`, which stays open. With kText as a terminal shows it.
  AccessLog(int fd, Form form);
  /// Writes what is queued and ends.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Any thread.
  void write(const AccessEntry& entry);
  /// Lines that found no room.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Lane {
    std::mutex mutex;
    std::unique_ptr<char[]> bytes;
    std::size_t used = 0;
  };
  void run();
  bool write_lanes();
  void write_out(std::string_view lines) const;

  const int fd_;
  const Form form_;
  const std::uint32_t process_;  // half of the ids that are made
  std::array<Lane, kLanes> lanes_;
  std::atomic<std::uint64_t> dropped_{0};
  std::uint64_t dropped_told_ = 0;  // the writer's
  std::unique_ptr<char[]> spare_;   // the writer's
  std::atomic<bool> awake_{false};  // the writer has been told of lines
  std::mutex mutex_;                // of the three below
  std::condition_variable wake_;
  bool lines_ = false;
  bool stopping_ = false;
  std::thread writer_;
};

/// A service whose requests are logged.
class LoggedService final : public http::Service {
 public:
  LoggedService(http::Service& service, AccessLog& log) : service_(service), log_(log) {}
  Task<Result<void>> handle(http::Exchange& exchange) override { return service_.handle(exchange); }
  http::Response render(const Error& error) const override { return service_.render(error); }
  void finished(const http::Exchange& exchange, Duration took) override;

 private:
  http::Service& service_;
  AccessLog& log_;
};

}  // namespace wherry
