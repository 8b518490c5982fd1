// A thread's memory for reading one block. Internal to this room.
#pragma once

#include <cstddef>
#include <span>

namespace wherry::store {

/// kBlockBytes of page-aligned memory (fit for O_DIRECT), this thread's own; the next call on the thread gives the
/// same.
std::span<std::byte> block_buffer();

}  // namespace wherry::store
