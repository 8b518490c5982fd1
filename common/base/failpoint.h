// Named places where a test may end the process as a crash would.
#pragma once

#include <string_view>

namespace wherry {

/// Ends the process with SIGKILL when the environment variable WHERRY_FAILPOINT names this place, as `name` or `name:N`
/// for the N-th time that it is reached. Otherwise one load of a constant. Places: blob-synced, blob-renamed,
/// folder-synced, batch-written, before-answer, fill-written,
/// blobs-forgotten, blob-evicted.
void failpoint(std::string_view name);

}  // namespace wherry
