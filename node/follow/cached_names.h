// Keeps the names of what is cached in step with the feed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/feed/change.h"
#include "common/kv/key_value.h"
#include "node/eviction/cache_space.h"

namespace wherry::node {

/// Whether anything of a repository is cached, as it was when it was first asked; within one transaction. O(log n) for
/// all but the first question: a node that catches up has many entries of few repositories, and holds nothing of most.
class CachedRepositories {
 public:
  explicit CachedRepositories(kv::Transaction& transaction) : transaction_(transaction) {}
  Result<bool> holds(std::string_view repository);

 private:
  kv::Transaction& transaction_;
  std::map<std::string, bool, std::less<>> known_;
};

/// Applies one entry to what this node has cached, within the transaction that applies it to the state: a tag that is
/// cached moves or goes, unless it was answered as of a later position; a manifest that was deleted goes with its tags.
/// Errors: those of the transaction, kCorrupt.
Result<void> apply_to_cache(kv::Transaction& transaction, CacheSpace& space, const feed::Change& change,
                            std::uint64_t position);

/// The same for what a snapshot of that position says: this tag names that, or is not there; this manifest is not
/// there.
Result<void> cached_tag_moved(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                              std::string_view tag, const Digest& digest, std::uint64_t position);
Result<void> cached_tag_removed(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                                std::string_view tag, std::uint64_t position);
Result<void> cached_manifest_deleted(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                                     const Digest& digest);

}  // namespace wherry::node
