// append: tags in the store of a master that does not run, with their entries, much faster than by pushing.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/error.h"

namespace wherry::bench {

/// Sets `count` tags of `repository` to `digest`. They are in the feed and in its state, not in the master's own names.
/// Errors: those of the store.
Result<void> append_tags(const std::string& data, const std::string& repository, const std::string& digest,
                         std::uint64_t count);

}  // namespace wherry::bench
