#include "common/store/space.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/files.h"
#include "common/base/log.h"

namespace wherry::store {
namespace {

constexpr std::uint64_t kMaxLowWaterBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxBallastBytes = std::uint64_t{64} << 20;

Result<Space> ask_file_system(const std::string& directory) {
  struct statvfs about{};
  if (::statvfs(directory.c_str(), &about) != 0) return system_error(errno, "ask for the free space of " + directory);
  return Space{about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize};
}

}  // namespace

SpaceGuard::SpaceGuard(std::string directory, SpaceOptions options)
    : ballast_path_(directory + "/ballast"), options_(std::move(options)) {
  if (!options_.probe) options_.probe = [directory = std::move(directory)] { return ask_file_system(directory); };
}

Result<std::unique_ptr<SpaceGuard>> SpaceGuard::open(const std::string& directory, SpaceOptions options) {
  std::unique_ptr<SpaceGuard> guard(new SpaceGuard(directory, std::move(options)));
  auto space = guard->look();
  if (!space) return std::move(space.error());
  guard->low_water_bytes_ =
      guard->options_.low_water_bytes.value_or(std::min(kMaxLowWaterBytes, space->total_bytes / 20));
  guard->ballast_bytes_ = guard->options_.ballast_bytes.value_or(std::min(kMaxBallastBytes, space->total_bytes / 50));
  guard->has_ballast_.store(::access(guard->ballast_path_.c_str(), F_OK) == 0, std::memory_order_relaxed);
  if (auto tended = guard->tend_ballast(); !tended) return std::move(tended.error());
  return guard;
}

Result<Space> SpaceGuard::look() {
  auto space = options_.probe();
  if (!space) return space;
  total_bytes_.store(space->total_bytes, std::memory_order_relaxed);
  free_bytes_.store(space->free_bytes, std::memory_order_relaxed);
  looked_at_nanos_.store(options_.clock->monotonic().time_since_epoch().count(), std::memory_order_relaxed);
  return space;
}

Space SpaceGuard::space() const {
  return {total_bytes_.load(std::memory_order_relaxed), free_bytes_.load(std::memory_order_relaxed)};
}

Result<void> SpaceGuard::admit(std::uint64_t bytes) {
  const std::int64_t now = options_.clock->monotonic().time_since_epoch().count();
  const bool recent = now - looked_at_nanos_.load(std::memory_order_relaxed) <= Duration(kMaxAge).count();
  std::uint64_t free = free_bytes_.load(std::memory_order_relaxed);
  const auto leaves = [&](std::uint64_t margin) { return free >= bytes && free - bytes >= low_water_bytes_ + margin; };
  if (!recent || !leaves(kNearBytes)) {
    auto space = look();
    if (!space) return std::move(space.error());
    free = space->free_bytes;
  }
  if (!leaves(0))
    return Error(
        ErrorKind::kNoSpace,
        "the disk has {} MiB free and {} MiB must stay free, so {} more bytes cannot be stored; free some space",
        free >> 20, low_water_bytes_ >> 20, bytes);
  // Promised, so no longer there for the next one; the next look sees how much of it was really written.
  std::uint64_t left = free_bytes_.load(std::memory_order_relaxed);
  while (!free_bytes_.compare_exchange_weak(left, left - std::min(left, bytes), std::memory_order_relaxed)) {
  }
  return {};
}

Result<void> SpaceGuard::admit_metadata() {
  const std::uint64_t reserve = metadata_reserve_bytes();
  auto space = tend_ballast();
  if (!space) return std::move(space.error());
  if (space->free_bytes >= reserve) return {};
  return Error(ErrorKind::kNoSpace,
               "the disk has {} MiB free and {} MiB must stay free for the metadata store; free some space",
               space->free_bytes >> 20, reserve >> 20);
}

Result<void> SpaceGuard::maintain() {
  if (auto space = tend_ballast(); !space) return std::move(space.error());
  return {};
}

Result<Space> SpaceGuard::tend_ballast() {
  const std::lock_guard lock(ballast_mutex_);
  auto space = look();
  if (!space) return space;
  if (has_ballast() && space->free_bytes < metadata_reserve_bytes()) {
    release_ballast();
    return look();
  }
  if (!has_ballast() && ballast_bytes_ != 0 && space->free_bytes > low_water_bytes_ + ballast_bytes_) {
    make_ballast();
    return look();
  }
  return space;
}

void SpaceGuard::release_ballast() {
  if (const auto removed = remove_file(ballast_path_); !removed) {
    log::error("the ballast file could not be given up", {{"why", removed.error().message()}});
    return;
  }
  has_ballast_.store(false, std::memory_order_relaxed);
  log::warn("the disk is nearly full: the ballast was given up so that deletions can go on");
}

void SpaceGuard::make_ballast() {
  const auto file = open_file(ballast_path_, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return;
  if (::fallocate(file->get(), 0, 0, static_cast<off_t>(ballast_bytes_)) != 0) {
    // No room after all, or a file system without the call: none is better than half of one.
    if (const auto removed = remove_file(ballast_path_); !removed)
      log::warn("the ballast file could not be removed", {{"why", removed.error().message()}});
    return;
  }
  has_ballast_.store(true, std::memory_order_relaxed);
}

}  // namespace wherry::store
