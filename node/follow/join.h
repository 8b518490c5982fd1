// Join: how a node comes to a state that it cannot reach entry by entry.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/feed/record.h"
#include "common/feed/staged.h"
#include "common/feed/verifier.h"
#include "common/http/client.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"

namespace wherry::node {

/// Takes a snapshot in two steps. take() asks the parent for it and proves it beside the state that is in use
/// (SnapshotIntake); a link that breaks goes on where it was, after a restart too. swap() puts what is staged in the
/// place of what was, in steps that a crash may come between. On one loop.
class Join {
 public:
  static constexpr std::size_t kRowsAtOnce = 1000;  ///< by one transaction

  /// `sees_all`: this node may see all projects, so that none may be left out.
  Join(registry::Storage& storage, CacheSpace& space, feed::TrustedKeys& keys, bool first_contact, bool sees_all)
      : storage_(storage), space_(space), keys_(keys), first_contact_(first_contact), sees_all_(sees_all) {}

  /// Why the log does not go on: the parent has dropped what comes next, has another history than this node's, or shows
  /// this node other projects than before.
  enum class Because { kCompacted, kParted, kOtherView };
  /// Asks the parent for a path and query.
  using Open = std::function<Task<Result<std::unique_ptr<http::Transfer>>>(const std::string& target)>;
  /// The head up to which the staged rows are. `present` is where this node is. Another history
  /// must be of a higher epoch: somebody has said that it is to count. Errors: kInvalid for what cannot be believed
  /// (what was staged is dropped), those of the client.
  Task<Result<feed::SignedHead>> take(const Open& open, const feed::Head& present, Because because);
  /// Forgets what is staged.
  Task<Result<void>> drop();
  /// After take(): the state, the log and the cached names are those of `head`, as one with that view sees them.
  Task<Result<void>> swap(const feed::SignedHead& head, const std::string& view);
  /// The head of a swap() that a crash interrupted, and the rest of it.
  Task<Result<std::optional<feed::SignedHead>>> unfinished();
  Task<Result<void>> resume(const feed::SignedHead& head);

 private:
  using Step = std::function<Result<void>(kv::Transaction&, feed::StateWriter&, const std::string& key,
                                          const std::string& value)>;
  /// Calls `step` for each row below a prefix, some in each transaction.
  Task<Result<void>> for_each(std::string prefix, Step step);
  Task<Result<void>> mark_all_gone();
  Result<void> take_away(kv::Transaction& transaction, feed::StateWriter& state, const std::string& key,
                         std::uint64_t position);
  Result<void> put_in_place(kv::Transaction& transaction, feed::StateWriter& state, const std::string& staged,
                            const std::string& value, std::uint64_t position);

  registry::Storage& storage_;
  CacheSpace& space_;
  feed::TrustedKeys& keys_;
  const bool first_contact_;
  const bool sees_all_;
};

}  // namespace wherry::node
