// Applier: where this node is in the feed, and the one who takes it further.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/feed/verifier.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"

namespace wherry::node {

/// Applies verified batches in order: each group of them in one transaction with its position, synced once this node
/// has caught up for the first time (before, nobody reads it). While one group is applied the next ones gather, so that
/// who verifies and who commits work at the same time. On one loop.
class Applier {
 public:
  /// Gathered at most, beside the group that is being applied; whoever brings more waits. A batch is never divided.
  static constexpr std::size_t kMostEntries = feed::Verifier::kMostEntries;
  /// Of its own log, for its children: who is further behind takes a snapshot.
  static constexpr std::uint64_t kKeptEntries = 1'000'000;
  static constexpr std::uint64_t kCompactedAtOnce = 4096;

  /// What is done with a group once it is applied; `was_complete`: this node had caught up before it.
  using Applied = std::function<void(const std::vector<feed::Batch>& batches, bool was_complete)>;

  /// All outlive it.
  Applier(registry::Storage& storage, CacheSpace& space, const feed::TrustedKeys& keys, Applied applied)
      : storage_(storage), space_(space), keys_(keys), applied_(std::move(applied)) {}

  /// Reads where it was. Nothing must be under way. Errors: kCorrupt, kIo.
  Task<Result<void>> load();

  /// Where the last group that was applied ended, and the signed head that closed it.
  const feed::Head& at() const { return at_; }
  const std::optional<feed::SignedHead>& last() const { return last_; }
  /// True once all has been applied that the feed had when it was first met.
  bool is_complete() const { return complete_; }

  /// Takes one more batch; `newest` is the feed's newest position as far as is known. Comes back when there is room for
  /// the next. Errors: what went wrong with this one or one before it; then nothing more is applied until drain().
  Task<Result<void>> take(feed::Batch batch, std::uint64_t newest);
  /// Waits until nothing is under way. Errors: as take(). After it, take() begins anew.
  Task<Result<void>> drain();
  /// Calls `failed` when a group cannot be applied: who waits for more of the stream need not.
  void on_failed(std::function<void()> failed) { failed_ = std::move(failed); }

 private:
  Task<void> work();
  Task<Result<void>> apply(const std::vector<feed::Batch>& batches);
  Task<Result<void>> compact();

  registry::Storage& storage_;
  CacheSpace& space_;
  const feed::TrustedKeys& keys_;
  const Applied applied_;
  std::function<void()> failed_;
  feed::Head at_;
  std::optional<feed::SignedHead> last_;
  bool complete_ = false;
  std::uint64_t compacted_to_ = 0;

  std::vector<feed::Batch> gathered_;
  std::size_t gathered_entries_ = 0;
  std::uint64_t newest_ = 0;
  Result<void> outcome_;
  Event taken_;  // what was gathered is being applied, or will not be
  Scope scope_;  // of one work() at most
};

}  // namespace wherry::node
