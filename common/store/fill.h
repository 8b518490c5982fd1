// Fill: a blob on its way in, with one writer and any number of readers on any loops.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "common/async/loop.h"
#include "common/async/task.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/oci/digest.h"

namespace wherry::store {

/// A growing file that readers follow while it is written. Its writer moves the front; readers wait for what they need.
/// Nothing that is read from it ends well before the whole was verified: the last byte of every read is held back.
/// Readers' calls are for any loop; a writer's calls are for the loop that fills, except advanced(), which is for any
/// thread, one at a time. Wakes cost no allocation.
class Fill {
 public:
  explicit Fill(Digest digest) : digest_(digest) {}
  Fill(const Fill&) = delete;
  Fill& operator=(const Fill&) = delete;

  const Digest& digest() const { return digest_; }

  /// Readers: waits until the size is known. Errors: what the writer failed with.
  Task<Result<std::uint64_t>> size();
  /// Readers: the file, once size() was given.
  int file() const { return file_.get(); }
  /// Readers: how many bytes from `offset`, at most `want`, can be read now by someone whose read ends at `end`;
  /// nothing when ready() must be awaited. An error once the fill failed.
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) const;
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end);
  /// Readers: waits until the whole is verified and stored, or failed.
  Task<Result<void>> done();

  /// How far it has come, for whoever shows it; any thread.
  struct Progress {
    std::uint64_t done_bytes = 0;
    std::optional<std::uint64_t> size_bytes;  ///< nothing while it is not known
  };
  Progress progress() const;

  /// Writer: the size is known and `file` (which it takes) will grow to it.
  void opened(UniqueFd file, std::uint64_t size);
  /// Writer: all bytes before `front` are in the file. May come before opened().
  void advanced(std::uint64_t front);
  /// Writer: the digest is right and the blob is stored.
  void verified();
  /// Writer: it has its row; once it was verified.
  void kept() { kept_.store(true, std::memory_order_release); }
  /// Readers: whether it has.
  bool is_kept() const { return kept_.load(std::memory_order_acquire); }
  /// Writer: it will not come to an end. Every reader is told. Does nothing once it was verified.
  void failed(Error error);

 private:
  enum class State { kOpening, kGrowing, kVerified, kFailed };

  struct Waiter : Loop::Message {
    Fill& fill;
    State seen_state;
    std::uint64_t seen_front;
    Loop* loop = nullptr;
    std::coroutine_handle<> handle;
    Waiter* next_waiter = nullptr;

    Waiter(Fill& f, State state, std::uint64_t front) : fill(f), seen_state(state), seen_front(front) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting);
    void await_resume() const noexcept {}
  };

  /// Awaitable: until anything changed since `state` and `front` were seen.
  Waiter changed(State state, std::uint64_t front) { return Waiter(*this, state, front); }
  void wake();
  Error failure() const { return *error_; }

  const Digest digest_;
  UniqueFd file_;
  std::uint64_t size_ = 0;
  std::optional<Error> error_;  // written before state_ becomes kFailed, read after
  std::atomic<State> state_{State::kOpening};
  std::atomic<std::uint64_t> front_{0};
  std::atomic<bool> kept_{false};
  std::mutex mutex_;  // guards waiters_ alone; never held across a suspension
  Waiter* waiters_ = nullptr;
};

}  // namespace wherry::store
