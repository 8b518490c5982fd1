// Residency: whether a part of a file is in the page cache, asked without touching a disk.
#pragma once

#include <cstdint>

namespace wherry::store {

/// True when every page of [offset, offset + bytes) of `fd` is in memory now. No disk, no allocation; about 1 us a MiB
/// where the kernel has cachestat(2) (6.5 on), some 10 us by mincore(2) where it has not. False when nobody can say.
/// `bytes` is not 0. Source: cachestat(2), mincore(2).
bool is_resident(int fd, std::uint64_t offset, std::uint64_t bytes);

}  // namespace wherry::store
