// What the master signed, applied to all that this node keeps of names.
#pragma once

#include <vector>

#include "common/feed/verifier.h"
#include "common/kv/key_value.h"
#include "node/eviction/cache_space.h"

namespace wherry::node {

/// Log, state, cached names, and the signed heads for this node's own children; gives where the log ends then.
/// Within a transaction. Errors: those of the transaction, kCorrupt.
Result<feed::Head> apply_batches(kv::Transaction& transaction, CacheSpace& space,
                                 const std::vector<feed::Batch>& batches);

}  // namespace wherry::node
