// Keeps the names of what is cached in step with the feed.
#pragma once

#include "common/feed/change.h"
#include "common/kv/key_value.h"
#include "node/eviction/cache_space.h"

namespace wherry::node {

/// Applies one entry to what this node has cached, within the transaction that applies it to the state: a tag that is
/// cached moves or goes, a manifest that was deleted goes with its tags. Errors: those of the transaction, kCorrupt.
Result<void> apply_to_cache(kv::Transaction& transaction, CacheSpace& space, const feed::Change& change);

/// The same for what a snapshot says: this tag names that, or is not there; this manifest is not there.
Result<void> cached_tag_moved(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                              std::string_view tag, const Digest& digest);
Result<void> cached_tag_removed(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                                std::string_view tag);
Result<void> cached_manifest_deleted(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                                     const Digest& digest);

}  // namespace wherry::node
