#include "common/store/residency.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

namespace wherry::store {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr long kCachestat = 451;  // Debian 12's headers are older than the call

struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t bytes;
};
struct Cachestat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t in_writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

std::uint64_t page_count(std::uint64_t offset, std::uint64_t bytes) {
  return (offset + bytes - 1) / kPageBytes - offset / kPageBytes + 1;
}

/// How many pages of the range are cached; nothing when the kernel does not say.
std::optional<std::uint64_t> cached_pages(int fd, std::uint64_t offset, std::uint64_t bytes) {
  static std::atomic<bool> refused{false};  // an older kernel, or a sandbox that knows an older one
  if (refused.load(std::memory_order_relaxed)) return std::nullopt;
  CachestatRange range{offset, bytes};
  Cachestat found{};
  if (::syscall(kCachestat, fd, &range, &found, 0) == 0) return found.cached;
  refused.store(true, std::memory_order_relaxed);
  return std::nullopt;
}

bool has_page(int fd, std::uint64_t offset) {
  char byte = 0;
  const iovec into{&byte, 1};
  return ::preadv2(fd, &into, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
}

bool resident_by_mincore(int fd, std::uint64_t offset, std::uint64_t bytes) {
  constexpr std::uint64_t kWindowPages = 512;
  std::uint64_t page = offset / kPageBytes;
  for (std::uint64_t left = page_count(offset, bytes); left > 0;) {
    const std::uint64_t pages = std::min(left, kWindowPages);
    const std::uint64_t length = pages * kPageBytes;
    // Never read: a mapping that nobody touches cannot fault, whatever becomes of the file.
    void* map = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page * kPageBytes));
    if (map == MAP_FAILED) return false;
    std::array<unsigned char, kWindowPages> in_core{};
    const bool told = ::mincore(map, length, in_core.data()) == 0;
    ::munmap(map, length);
    if (!told) return false;
    if (!std::all_of(in_core.begin(), in_core.begin() + static_cast<std::ptrdiff_t>(pages),
                     [](unsigned char each) { return (each & 1) != 0; }))
      return false;
    page += pages;
    left -= pages;
  }
  return true;
}

}  // namespace

bool is_resident(int fd, std::uint64_t offset, std::uint64_t bytes) {
  const auto cached = cached_pages(fd, offset, bytes);
  if (cached && *cached >= page_count(offset, bytes)) return true;
  // cachestat(2) sees nothing of a file whose pages belong to another one below it (overlayfs): has_page() does.
  if (cached && (*cached > 0 || !has_page(fd, offset))) return false;
  return resident_by_mincore(fd, offset, bytes);
}

}  // namespace wherry::store
