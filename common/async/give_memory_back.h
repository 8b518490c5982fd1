// Memory that many things left when they ended goes back to the system.
#pragma once

#include "common/async/pool.h"
#include "common/async/task.h"

namespace wherry {

/// So many things that ended at once are worth it.
inline constexpr std::size_t kWorthGivingBack = 64;

/// The allocator keeps what was freed between what is still used: after a burst that is most of it. On a thread of the
/// pool, for milliseconds; not done where that has no room.
Task<void> give_memory_back(Pool& pool);

}  // namespace wherry
