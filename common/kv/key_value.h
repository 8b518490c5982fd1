// KeyValue: the ordered key-value store behind one interface. RocksDB is the embedded default; a networked store may
// stand behind it later, so all that may wait is a Task.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/async/loop.h"
#include "common/async/task.h"
#include "common/base/error.h"

namespace wherry::kv {

/// What a transaction's body reads and writes: the store with all earlier transactions applied, and its own writes over
/// it. Lives on the committer's thread, for one call of one body; its calls may block there.
/// Errors of all reads: kCorrupt when stored data is not what was stored, else kIo.
class Transaction {
 public:
  /// The most that one body may write; beyond it the body fails with kTooLarge and is rolled back.
  static constexpr std::size_t kMaxBodyBytes = std::size_t{32} << 20;
  /// Called for each entry of a scan in key order; false ends the scan. It must not write: collect, then write.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~Transaction() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  virtual Result<bool> exists(std::string_view key) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  /// Visits the keys that start with `prefix` and sort after `after` (a whole key; empty: from the first).
  virtual Result<void> scan(std::string_view prefix, std::string_view after, const Visitor& visit) = 0;
};

/// Which entries a page is to hold: those that start with `prefix` and sort after `after` (a whole key, exclusive;
/// empty: from the first), at most `limit` of them and, beyond the first, at most `max_bytes` of keys and values.
class ScanRequest {
 public:
  static constexpr std::size_t kDefaultLimit = 1000;
  static constexpr std::size_t kDefaultBytes = std::size_t{4} << 20;

  explicit ScanRequest(std::string prefix, std::string after = {}, std::size_t limit = kDefaultLimit,
                       std::size_t max_bytes = kDefaultBytes)
      : prefix_(std::move(prefix)), after_(std::move(after)), limit_(limit), max_bytes_(max_bytes) {}

  const std::string& prefix() const { return prefix_; }
  const std::string& after() const { return after_; }
  std::size_t limit() const { return limit_; }
  std::size_t max_bytes() const { return max_bytes_; }

 private:
  std::string prefix_;
  std::string after_;
  std::size_t limit_;
  std::size_t max_bytes_;
};

/// Entries in key order; `more` says that the range goes on after the last of them.
struct Page {
  std::vector<std::pair<std::string, std::string>> entries;
  bool more = false;
};

/// A stored value, shared with whoever else has it; null when there is none.
using Row = std::shared_ptr<const std::string>;

/// kSynced: the answer comes after the write is on the disk. kLazy: it may be lost by a power cut (never by a crash of
/// the process alone, and never out of order: what a later synced transaction wrote is there only if this is).
enum class Durability { kSynced, kLazy };

/// A body on its way through the committer. Lives in the frame of the coroutine that waits for it.
class Submission : public Loop::Message {
 public:
  explicit Submission(Durability durability) : durability_(durability) {}
  virtual ~Submission() = default;
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;

  /// Calls the body and keeps its result; true when that is a value. Committer's thread.
  virtual bool apply(Transaction& transaction) = 0;
  /// Replaces the result by an error.
  virtual void fail(const Error& error) = 0;
  /// Hands the result to its caller on the caller's loop; the end of this object's life for the committer.
  void finish() { home_->send(*this); }

  Durability durability() const { return durability_; }
  Submission* next_queued = nullptr;  ///< for the committer's queue

 protected:
  void wait_on_current_loop(std::coroutine_handle<> handle) {
    home_ = &Loop::current();
    handle_ = handle;
    run = [](Loop::Message* message) { static_cast<Submission*>(message)->handle_.resume(); };
  }

 private:
  Durability durability_;
  Loop* home_ = nullptr;
  std::coroutine_handle<> handle_;
};

/// An ordered store of byte strings. All calls from any loop.
class KeyValue {
 public:
  virtual ~KeyValue() = default;

  /// Reads without waiting for a disk: nothing at all when only the disk knows. About 2 us; for the loop.
  virtual std::optional<Result<std::optional<std::string>>> try_get(std::string_view key) = 0;
  /// Reads one key: at once when memory has it, else on a pool. Sees every transaction that was answered.
  virtual Task<Result<std::optional<std::string>>> get(std::string key) = 0;
  /// The same for a row that is read over and over: a thread keeps some megabytes of them until their table (a key's
  /// first byte) is written to. About 0.1 us for what is kept.
  virtual Task<Result<Row>> get_hot(std::string key) = 0;
  /// Reads a range, on a pool, as it was at one moment.
  virtual Task<Result<Page>> scan(ScanRequest request) = 0;

  /// Calls `changed` after every group of transactions that wrote to that table (a key's first byte), once readers see
  /// it and before those who wrote are told. On the committer's thread: it must not block. A second watcher of a table
  /// takes the place of the first; null ends it, and nothing is called once that has returned.
  virtual void watch(char table, std::function<void()> changed) = 0;

  /// THE way to write. `body` is a `Result<T>(Transaction&)` and is called once, on the committer's thread, while the
  /// awaiting coroutine sleeps: it may use what that owns by reference, must be quick, and must not wait for a loop.
  /// Bodies run one after another, so each sees all before it: serialisable without locks. An Error that it returns
  /// rolls back what it wrote and is given to the caller. The value comes once everything that the body wrote or read
  /// is as durable as asked. Errors beside the body's own: kUnavailable when too many wait, kNoSpace when the disk has
  /// no room (nothing was written), kIo after a failed write or sync (nothing will ever be acknowledged again),
  /// kInternal when the body threw.
  template <class Body, class Outcome = std::invoke_result_t<Body&, Transaction&>>
  Task<Outcome> transact(Body body, Durability durability = Durability::kSynced) {
    Submitted<Body, Outcome> submitted(*this, body, durability);
    co_return co_await submitted;
  }

 protected:
  /// Queues it; an error (and then it was not taken) when that cannot be. It may be finished before this returns.
  virtual Result<void> submit(Submission& submission) = 0;

 private:
  template <class Body, class Outcome>
  class Submitted final : public Submission {
   public:
    Submitted(KeyValue& store, Body& body, Durability durability)
        : Submission(durability), store_(store), body_(body) {}

    bool apply(Transaction& transaction) override {
      try {
        outcome_.emplace(body_(transaction));
      } catch (const std::exception& exception) {
        outcome_.emplace(Error(ErrorKind::kInternal, "a transaction's body threw: {}", exception.what()));
      }
      return outcome_->has_value();
    }
    void fail(const Error& error) override { outcome_.emplace(error); }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) {
      wait_on_current_loop(handle);
      Result<void> taken = store_.submit(*this);
      if (taken) return true;  // touches nothing of ours: we may be gone
      outcome_.emplace(std::move(taken.error()));
      return false;
    }
    Outcome await_resume() { return std::move(*outcome_); }

   private:
    KeyValue& store_;
    Body& body_;
    std::optional<Outcome> outcome_;
  };
};

}  // namespace wherry::kv
