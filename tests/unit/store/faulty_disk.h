// A disk that fails on demand: this program's own pwrite, fdatasync and fsync stand before those of libc,
// as does sync_file_range.
#pragma once

#include <cstddef>

namespace wherry::testing {

/// While it lives, writes to files end with ENOSPC once `bytes` more were taken, every sync gives `sync_errno`, and so
/// does waiting for what is written back, or `write_back_errno`.
class FaultyDisk {
 public:
  static constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);
  explicit FaultyDisk(std::size_t bytes, int sync_errno = 0) : FaultyDisk(bytes, sync_errno, sync_errno) {}
  FaultyDisk(std::size_t bytes, int sync_errno, int write_back_errno);
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;
};

/// How often fdatasync and fsync were called in this process.
std::size_t syncs_so_far();

}  // namespace wherry::testing
