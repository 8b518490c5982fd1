#include "tests/unit/store/faulty_disk.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace wherry::testing {
namespace {

std::atomic<std::size_t> bytes_left{FaultyDisk::kNoLimit};
std::atomic<int> sync_error{0};
std::atomic<int> write_back_error{0};
std::atomic<std::size_t> syncs{0};

int sync_by(long number, int fd) {
  syncs.fetch_add(1);
  if (const int error = sync_error.load(); error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(number, fd));
}

}  // namespace

FaultyDisk::FaultyDisk(std::size_t bytes, int sync_errno, int write_back_errno) {
  bytes_left.store(bytes);
  sync_error.store(sync_errno);
  write_back_error.store(write_back_errno);
}
FaultyDisk::~FaultyDisk() {
  bytes_left.store(kNoLimit);
  sync_error.store(0);
  write_back_error.store(0);
}
std::size_t syncs_so_far() { return syncs.load(); }

}  // namespace wherry::testing

extern "C" {

int fdatasync(int fd) { return wherry::testing::sync_by(SYS_fdatasync, fd); }
int fsync(int fd) { return wherry::testing::sync_by(SYS_fsync, fd); }

int sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags) {
  const int error = wherry::testing::write_back_error.load();
  if (error != 0 && (flags & SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_sync_file_range, fd, offset, bytes, flags));
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  using wherry::testing::FaultyDisk;
  const std::size_t left = wherry::testing::bytes_left.load();
  if (left != FaultyDisk::kNoLimit) {
    if (left == 0) {
      errno = ENOSPC;
      return -1;
    }
    size = std::min(size, left);
    wherry::testing::bytes_left.fetch_sub(size);
  }
  return ::syscall(SYS_pwrite64, fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) { return pwrite(fd, bytes, size, offset); }
}
