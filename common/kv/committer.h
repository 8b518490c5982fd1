// Committer: one thread that takes queued transactions, runs their bodies one after another and commits them in groups.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "common/kv/key_value.h"

namespace wherry::kv {

/// What the committer writes to: a batch that can be read through, and the store under it. Committer's thread only.
class CommitTarget {
 public:
  virtual ~CommitTarget() = default;
  /// Starts the next body's part of the batch.
  virtual Transaction& begin_body() = 0;
  /// Ends it. True from `keep` means that the body wrote something; an error, that its part could not be kept and was
  /// rolled back. `roll_back` undoes the part.
  virtual Result<bool> keep() = 0;
  virtual void roll_back() = 0;
  /// Size of the batch so far; 0 when nothing was written.
  virtual std::size_t batch_bytes() const = 0;
  /// Writes the batch at once and empties it; `drop` only empties it.
  virtual Result<void> write(bool sync) = 0;
  virtual void drop() = 0;
};

/// Group commit: while one group is synced the next one queues up, and one sync serves all of it.
class Committer {
 public:
  static constexpr std::size_t kQueueBound = 16384;                 ///< bodies waiting; more get kUnavailable
  static constexpr std::size_t kGroupBodies = 256;                  ///< bodies that share a write
  static constexpr std::size_t kGroupBytes = std::size_t{8} << 20;  ///< and its size, passed by one body at most

  struct Callbacks {
    std::function<Result<void>()> before_commit;
    std::function<void(const Error&)> on_fatal;
  };

  /// `target` outlives this.
  Committer(CommitTarget& target, Callbacks callbacks);
  /// Commits what is queued, then ends the thread.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Any thread. An error: it was not taken.
  Result<void> submit(Submission& submission);

 private:
  struct List {
    Submission* first = nullptr;
    Submission* last = nullptr;
    std::size_t size = 0;
    void push(Submission& submission);
    Submission* pop();
  };

  /// Bodies that share a write: those that depend on nothing of it, and the others.
  struct Group {
    List independent;
    List dependent;
    bool sync = false;
    bool full(const CommitTarget& target) const;
  };

  void serve();
  void run_bodies(Submission& first, Group& group);
  Submission* take_queued();
  void commit(Group& group);
  static void finish(List& list);
  void fail_for_good(Group& group, const Error& cause);

  CommitTarget& target_;
  Callbacks callbacks_;
  std::mutex mutex_;
  std::condition_variable filled_;
  List queue_;
  bool ending_ = false;
  std::optional<Error> failure_;
  std::thread thread_;
};

}  // namespace wherry::kv
