// Recovery: whether a store still has what was acknowledged, and the mark that lets the next start know. Internal to
// this room; includes RocksDB.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <memory>
#include <mutex>
#include <string>

#include "common/kv/high_water.h"

namespace wherry::kv {

/// Looks at a store that is not open, without writing a byte: its manifest must begin with what the mark saw, and its
/// log must reach the mark. What comes after the mark may be cut short: that was not acknowledged, or is younger than
/// the mark. Without a mark nothing can be told, and that is logged. Blocks; reads the log as an open does.
/// Errors: kCorrupt, naming the file; kIo when a process has it open; what RocksDB says of a store that it cannot open.
Result<void> check_recovery(const std::string& path, const rocksdb::Options& options);

/// Keeps the mark of an open store: the committer advances its sequence, and this its manifest, which grows when tables
/// are written. Set as a listener before the open.
class MarkKeeper final : public rocksdb::EventListener {
 public:
  explicit MarkKeeper(std::string path) : path_(std::move(path)) {}

  /// Begins with all that `db` has: it was just opened, so that is synced. Blocks. Errors: kIo, kNoSpace.
  Result<void> begin(rocksdb::DB& db);
  /// After begin(). Valid as long as this.
  HighWater& high_water() { return *high_water_; }
  /// For an orderly end: the mark is all that `db` has synced, and on the disk. Blocks.
  void end(rocksdb::DB& db);

  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& /*info*/) override { follow_manifest(*db); }
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& /*info*/) override {
    follow_manifest(*db);
  }

 private:
  /// Reads the manifest anew: it is short, and tables are few.
  void follow_manifest(rocksdb::DB& db);

  const std::string path_;
  std::mutex mutex_;  // guards high_water_ until it is there, and lets one look at the manifest at a time
  std::unique_ptr<HighWater> high_water_;
};

}  // namespace wherry::kv
