// Memory for coroutine frames: a free list a thread and a size class, so that a request costs no malloc once warm.
#pragma once

#include <cstddef>

namespace wherry {

/// Memory for a frame of `size` bytes, from this thread's list. Frames may be given back on another thread.
void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

}  // namespace wherry
