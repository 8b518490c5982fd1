// The entries of a bundle's feed, believed as those of a parent are.
#pragma once

#include <functional>
#include <vector>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/snapshot_intake.h"
#include "common/feed/verifier.h"

namespace wherry::bundle {

/// What is done with batches as they are verified, some at a time.
using EachBatches = std::function<Task<Result<void>>(std::vector<feed::Batch> batches)>;

/// Takes a stretch of the feed from where `verifier` is on; what it has already is skipped. Errors: kInvalid for what
/// cannot be believed, for a stretch that begins later (naming the position to export from), and for one without an
/// end; those of `next` and `each`.
Task<Result<void>> take_entries(const feed::NextPiece& next, feed::Verifier& verifier, const EachBatches& each);

}  // namespace wherry::bundle
