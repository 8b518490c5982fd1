// HighWater: how far an ordered store is known to be on the disk, in a small file beside it. RocksDB opens at the last
// point in time that it can read, so a store that lost the end of its log or of its manifest looks whole; this tells.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace wherry::kv {

/// The beginning of a store's manifest that is synced, and its XXH3-64. All zero: none was looked at.
struct ManifestMark {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;
  bool operator==(const ManifestMark&) const = default;
};

/// What a store must still have when it is opened.
struct Mark {
  std::uint64_t sequence = 0;  ///< of the last entry that is synced
  ManifestMark manifest;
  bool operator==(const Mark&) const = default;
};

/// The file: two slots written in turn, each with a generation and a checksum, a page apart, so that a write cut short
/// destroys the older one at most. A mark is written after what it tells of was synced: it may be behind the store,
/// never ahead of it. Writing is one pwrite and no sync: after a crash of the process the mark is exact, after a power
/// cut as old as the last sync(). All calls from any thread.
class HighWater {
 public:
  /// The newest whole mark; nothing when the file is missing or damaged. Blocks. Errors: kIo.
  static Result<std::optional<Mark>> read(const std::string& path);
  /// Makes the file or goes on with it, and syncs `mark` into it. Blocks. Errors: kIo, kNoSpace.
  static Result<std::unique_ptr<HighWater>> open(const std::string& path, const Mark& mark);
  HighWater(const HighWater&) = delete;
  HighWater& operator=(const HighWater&) = delete;

  /// All up to `sequence` is synced. About 2 us. An error is logged once and leaves the mark behind.
  void advance(std::uint64_t sequence);
  void set_manifest(const ManifestMark& manifest);
  /// Syncs what was written since the last call, if anything was. Blocks. Errors: kIo.
  Result<void> sync();

  Mark mark() const;

 private:
  HighWater(std::string path, UniqueFd file, std::uint64_t generation)
      : path_(std::move(path)), file_(std::move(file)), generation_(generation) {}
  Result<void> write();
  void write_or_warn();

  const std::string path_;
  const UniqueFd file_;
  mutable std::mutex mutex_;
  std::uint64_t generation_;  ///< of the slot that was written last
  Mark mark_;
  bool unsynced_ = false;
  bool warned_ = false;
};

}  // namespace wherry::kv
