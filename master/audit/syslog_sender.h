// SyslogSender: the audit log's events to a syslog receiver, which nobody waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "common/base/unique_fd.h"
#include "common/observe/metrics.h"
#include "master/audit/options.h"
#include "master/audit/syslog_line.h"

namespace wherry::audit {

/// A thread and a bounded queue. A receiver that is away, or that takes nothing for kStuckTime, is tried again after a
/// wait that doubles from kFirstWait to kLongestWait. What finds the queue full is dropped and counted. Of plain TCP,
/// what the kernel had taken when a connection broke may be lost, and the message that was cut comes again, whole.
class SyslogSender {
 public:
  static constexpr std::size_t kQueueBound = 16384;                 ///< events that wait
  static constexpr std::size_t kQueueBytes = std::size_t{8} << 20;  ///< and their size
  static constexpr std::chrono::milliseconds kFirstWait{100};
  static constexpr std::chrono::milliseconds kLongestWait{30'000};
  static constexpr std::chrono::milliseconds kConnectTime{5'000};
  static constexpr std::chrono::milliseconds kStuckTime{20'000};
  static constexpr std::chrono::milliseconds kEndTime{1'000};  ///< for what is queued, when it ends

  /// `metrics` outlives this. It resolves and connects on its own thread.
  SyslogSender(SyslogTarget target, SyslogOrigin origin, Metrics& metrics);
  ~SyslogSender();
  SyslogSender(const SyslogSender&) = delete;
  SyslogSender& operator=(const SyslogSender&) = delete;

  /// Any thread; never waits: takes lines of the audit log, each with its newline.
  void send(std::string_view lines);

 private:
  enum class Sent { kYes, kAgain, kNever };

  void serve();
  bool connect_to_target();
  /// One attempt; kAgain when there is no connection (any more).
  Sent send_now(const std::string& message);
  Sent send_datagram(const std::string& message);
  Sent send_stream(const std::string& message);
  bool wait_writable(std::chrono::milliseconds most);
  /// False when it is to end, and the time for that is over.
  bool sleep(std::chrono::milliseconds time);
  bool time_is_over();

  SyslogTarget target_;
  SyslogOrigin origin_;
  Counter sent_;
  Counter dropped_;
  Counter failures_;
  UniqueFd socket_;
  UniqueFd wake_;  // readable once it is to end
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool ending_ = false;
  std::chrono::steady_clock::time_point end_at_{};
  std::thread thread_;
};

}  // namespace wherry::audit
