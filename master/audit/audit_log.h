// AuditLog: who did what, written down before they are told that it is done; append-only, hash-chained files.
#pragma once

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/loop.h"
#include "common/async/pool.h"
#include "common/async/task.h"
#include "common/base/error.h"
#include "common/observe/metrics.h"
#include "master/audit/appender.h"
#include "master/audit/event.h"
#include "master/audit/options.h"
#include "master/audit/syslog_sender.h"

namespace wherry::audit {

/// The folder of the log in a data directory.
inline std::string audit_folder(const std::string& data) { return data + "/audit"; }

/// One writer, on a thread of its own: while a group of events is synced the next one queues up, and one sync serves
/// all of it (one more for each new file). The order of the log is that of the calls.
class AuditLog {
 public:
  static constexpr std::size_t kQueueBound = 8192;                  ///< events that wait for the writer
  static constexpr std::size_t kQueueBytes = std::size_t{8} << 20;  ///< and their size
  static constexpr std::size_t kMostRooms = 128;                    ///< kept at the same time, each of kMaxLineBytes

  /// Room on the disk for one event, which nobody else gets. Given back when it goes.
  class Room {
   public:
    Room(Room&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {}
    Room& operator=(Room&& other) noexcept {
      std::swap(log_, other.log_);
      return *this;
    }
    ~Room() {
      if (log_ != nullptr) log_->rooms_.fetch_sub(1);
    }

   private:
    friend class AuditLog;
    explicit Room(AuditLog& log) : log_(&log) {}
    AuditLog* log_;
  };

  /// Opens the log in `folder`, on `disk`, for which it reads the newest file whole; makes it where there is none.
  /// `metrics` outlives it. One process at a time: the caller holds the data directory. Errors: those of
  /// Appender::open(): kCorrupt, naming file and line, when the log is not what was written; kIo, kNoSpace.
  static Task<Result<std::unique_ptr<AuditLog>>> open(std::string folder, AuditOptions options, Pool& disk,
                                                      Metrics& metrics);
  /// Writes what is queued, and ends. Nobody may wait for a record() any more.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  /// Any loop. Made into a line at the call, O(its size); the answer comes once that is on the disk. Errors:
  /// kUnavailable when too many events wait; kNoSpace when the disk has no room (it is not in the log, and a later one
  /// may find room); kIo after a failed write or sync, for ever.
  Task<Result<void>> record(AuditEvent event);

  /// Before something is done that has to be written down: room for it, so that record() cannot fail for want of it.
  /// Any loop; waits its turn with the events that are being synced. Errors: kNoSpace, kUnavailable when kMostRooms are
  /// in use; kIo as record().
  Task<Result<Room>> room();
  /// The same in that room, which is used up. It waits behind no bound.
  Task<Result<void>> record(AuditEvent event, Room& room);

  /// Any thread; does not wait: for events whose answer does not depend on their being written. One that finds the
  /// queue full, or that could not be written, is dropped and counted; an event "audit.dropped" says how many were.
  void note(AuditEvent event);

  const std::string& folder() const { return folder_; }

 private:
  struct Submission;
  enum class Kind { kEvent, kEventWithRoom, kRoom };
  struct Entry {
    std::string body;
    Submission* waiting = nullptr;  ///< null: a note
    Kind kind = Kind::kEvent;
    std::uint64_t dropped = 0;  ///< our own: tells of so many notes
  };

  AuditLog(std::string folder, AuditOptions options, Appender appender, Metrics& metrics);
  Task<Result<void>> written(std::string body, Kind kind);
  Result<void> enqueue(std::string body, Kind kind, Submission* waiting);
  void serve();
  /// Answers those who wait for room, and takes them out of the group; gives what they were told.
  Result<void> grant_rooms(std::vector<Entry>& group);
  void write(std::vector<Entry>& group);
  /// A new file where there is room for one; else the present one goes on. Errors: there is none, or broken().
  Result<void> rotate();
  /// Of all rooms that are, or may be, out.
  std::uint64_t promised_bytes() const { return rooms_.load() * kMaxLineBytes; }
  Result<void> commit(std::vector<Entry>& group, std::size_t from, std::size_t to);
  /// Ends the waiting of the entries [from, to), and counts the notes among them when they are lost.
  void settle(std::vector<Entry>& group, std::size_t from, std::size_t to, const Result<void>& outcome);
  static void answer(Submission& waiting, const Result<void>& outcome);
  void fail_for_good(const Error& error);
  Entry entry_of_dropped(std::uint64_t count) const;

  const std::string folder_;
  const AuditOptions options_;
  Appender appender_;              // the writer's
  bool told_of_rotation_ = false;  // that it fails; the writer's
  std::atomic<std::size_t> rooms_{0};
  std::unique_ptr<SyslogSender> syslog_;
  Counter events_;
  Counter syncs_;
  Counter dropped_count_;
  std::mutex mutex_;  // of all below
  std::condition_variable filled_;
  std::vector<Entry> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t dropped_ = 0;  // not told of yet
  bool ending_ = false;
  std::optional<Error> failure_;
  std::thread thread_;
};

}  // namespace wherry::audit
