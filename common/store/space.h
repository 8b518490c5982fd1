// SpaceGuard: says whether there is room to write, before the disk says no.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::store {

/// Bytes of a file system: all of it, and what is free for us.
struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

/// How much is kept free.
struct SpaceOptions {
  /// Writes of content are refused when they would leave less; min(256 MiB, 5 % of the file system) when not set.
  std::optional<std::uint64_t> low_water_bytes;
  /// Size of the ballast file; min(64 MiB, 2 % of the file system) when not set, 0 for none.
  std::optional<std::uint64_t> ballast_bytes;
  /// How space is asked for; statvfs of the directory when empty.
  std::function<Result<Space>()> probe;
  const Clock* clock = &Clock::system();
};

/// Watches the free space of a data directory. Content stops at the low-water mark; metadata (which deletions need to
/// make room) may go on down to a quarter of it, and a ballast file is given up before metadata stops. All calls from
/// any thread. Writes go again as soon as there is space: nothing is remembered but the last look, at most kMaxAge old.
class SpaceGuard {
 public:
  static constexpr std::chrono::milliseconds kMaxAge{100};
  /// Nearer than this to the mark each admission looks anew.
  static constexpr std::uint64_t kNearBytes = std::uint64_t{64} << 20;

  /// Looks at the file system and makes the ballast file if there is room for it. Blocks. Errors: kIo.
  static Result<std::unique_ptr<SpaceGuard>> open(const std::string& directory, SpaceOptions options);

  /// May `bytes` of content be written now? Counted off until the next look. For the loop: at most a statvfs.
  /// Errors: kNoSpace, saying how much there is and how much must stay; kIo.
  Result<void> admit(std::uint64_t bytes);
  /// May metadata be written now? Always looks; gives up the ballast first, makes it again when there is plenty. May
  /// block: for RocksOptions::before_commit. Errors: kNoSpace, kIo.
  Result<void> admit_metadata();
  /// Gives up or makes again the ballast as the space demands. Blocks; for a timer on a pool, for when nothing commits.
  Result<void> maintain();

  /// The last look.
  Space space() const;
  std::uint64_t low_water_bytes() const { return low_water_bytes_; }
  std::uint64_t metadata_reserve_bytes() const { return low_water_bytes_ / 4; }
  bool has_ballast() const { return has_ballast_.load(std::memory_order_relaxed); }

 private:
  SpaceGuard(std::string directory, SpaceOptions options);
  Result<Space> look();
  Result<Space> tend_ballast();
  void release_ballast();
  void make_ballast();

  const std::string ballast_path_;
  SpaceOptions options_;
  std::uint64_t low_water_bytes_ = 0;
  std::uint64_t ballast_bytes_ = 0;
  std::atomic<std::uint64_t> total_bytes_{0};
  std::atomic<std::uint64_t> free_bytes_{0};
  std::atomic<std::int64_t> looked_at_nanos_{0};
  std::atomic<bool> has_ballast_{false};
  std::mutex ballast_mutex_;
};

}  // namespace wherry::store
