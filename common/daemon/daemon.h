// Daemon: a process of ours from start to exit: loops, pools, signals, the two listeners, the exit code.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/async/loop.h"
#include "common/async/pool.h"
#include "common/base/log.h"
#include "common/daemon/certificates.h"
#include "common/http/server.h"
#include "common/observe/access_log.h"
#include "common/observe/metrics.h"
#include "common/observe/observe_service.h"

namespace wherry {

/// Exit codes that scripts rely on (sysexits.h).
enum ExitCode : int { kExitOk = 0, kExitUsage = 64, kExitIo = 74, kExitConfig = 78 };

/// What every process of ours is told.
struct DaemonOptions {
  SocketAddress listen;
  std::optional<SocketAddress> observe;
  TlsFiles tls;          ///< Of `listen`; empty: it speaks plain HTTP.
  TlsFiles observe_tls;  ///< Of `observe`.
  http::Limits limits;
  std::chrono::milliseconds drain_time{30'000};  ///< That long may requests go on after SIGTERM.
  std::size_t loops = 0;                         ///< 0: one a core.
  log::Level log_level = log::Level::kInfo;
  bool access_log = true;   ///< a line a request, on stderr
  bool core_files = false;  ///< a crash may leave one, with the keys and passwords that are in memory
};

class Daemon;

/// What a process does: the master, or a node. Its calls come on the first loop.
class Role {
 public:
  virtual ~Role() = default;
  /// Opens what it needs. Errors end the process: kInvalid with 78, others with 74.
  virtual Task<Result<void>> start(Daemon& daemon) = 0;
  /// Answers requests, on every loop, between start() and stop().
  virtual http::Service& service() = 0;
  /// What it does just now, as one JSON object, for /status.json; called on the first loop, between start() and stop().
  virtual Task<std::string> status() { co_return "{}"; }
  /// The process was asked to end: answers that would not end by themselves are to end now. On the first loop.
  virtual void drain() {}
  /// The drain time is over and requests still run: ends whatever they wait for, other than their clients.
  virtual Task<void> cut() { co_return; }
  /// Ends what it runs; requests have ended before.
  virtual Task<void> stop() = 0;
};

/// The process around a Role.
class Daemon {
 public:
  Daemon(std::string name, DaemonOptions options);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Runs until SIGTERM or SIGINT, drains and gives the exit code. A second signal ends it at once. SIGHUP makes it
  /// read its certificates anew.
  int run(Role& role);

  const std::vector<Loop*>& loops() const { return loop_pointers_; }
  /// For file work; its threads may wait for the disk.
  Pool& disk() { return *disk_; }
  Metrics& metrics() { return metrics_; }

  /// Any thread: the disk cannot be trusted any more. Says so and ends the process with 74, without another answer.
  [[noreturn]] static void die(const Error& error);

 private:
  Task<void> main(Role& role);
  void on_signal(int number);

  std::string name_;
  DaemonOptions options_;
  Metrics metrics_;
  Health health_;
  std::unique_ptr<Certificates> certificates_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<Loop*> loop_pointers_;
  std::vector<std::thread> threads_;
  std::unique_ptr<Pool> disk_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> observer_;
  Event asked_to_end_;
  int signals_ = 0;
  int exit_code_ = kExitOk;
};

}  // namespace wherry
