// RocksKeyValue: KeyValue in an embedded RocksDB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/async/pool.h"
#include "common/kv/key_value.h"

namespace wherry::kv {

/// How a RocksKeyValue is set up. The callbacks run on the committer's thread.
struct RocksOptions {
  std::size_t block_cache_bytes = std::size_t{64} << 20;
  std::size_t write_buffer_bytes = std::size_t{16} << 20;
  int max_open_files = 256;
  /// Asked before each group is written; an error (kNoSpace) fails the whole group and nothing of it is written.
  std::function<Result<void>()> before_commit;
  /// Told once, after a write or sync failed and every waiting transaction was refused: the process must end (74).
  std::function<void(const Error&)> on_fatal;
};

/// KeyValue in a directory of its own, with a mark beside it (`<path>.mark`) of what was acknowledged. Destroy it
/// before the pool and the loops that its callers wait on.
///
/// What is noticed when it is opened: a log that is missing, cut short or damaged before the last acknowledged
/// transaction, a manifest or CURRENT that is not the one in use, a missing table. What is not: damage to the
/// transactions since the last sync_mark() when a power cut took the mark's page with it, and to lazy ones.
class RocksKeyValue final : public KeyValue {
 public:
  /// Opens, making it where there is none; replays what was not flushed. Blocks. `readers` runs what needs the disk.
  /// Errors: kCorrupt when the store is damaged or has lost acknowledged data (then nothing was changed), kNoSpace, kIo
  /// (also when another process has it open).
  static Result<std::unique_ptr<RocksKeyValue>> open(const std::string& path, Pool& readers, RocksOptions options);
  /// Opens what is there without writing a byte, for a disk that has no room: reads go, transact() gives kNoSpace.
  static Result<std::unique_ptr<RocksKeyValue>> open_read_only(const std::string& path, Pool& readers,
                                                               RocksOptions options);
  /// Finishes the transactions that are queued.
  ~RocksKeyValue() override;

  /// Makes a read-only store writable while readers go on. Blocks. Does nothing when it is writable already; on an
  /// error the store stays as it was and this may be tried again.
  Result<void> reopen_writable();
  bool read_only() const;
  /// Takes the mark to the disk: what was acknowledged before this is missed after a power cut, too, should it be lost.
  /// Blocks for a sync when there is something new; for a timer on a pool. Errors: kIo.
  Result<void> sync_mark();

  std::optional<Result<std::optional<std::string>>> try_get(std::string_view key) override;
  Task<Result<std::optional<std::string>>> get(std::string key) override;
  Task<Result<Row>> get_hot(std::string key) override;
  Task<Result<Page>> scan(ScanRequest request) override;
  void watch(char table, std::function<void()> changed) override;

  /// A number that grows with every write, for comparing states.
  std::uint64_t latest_sequence() const;
  /// Bytes held in memory by memtables, open tables and the block cache, for metrics.
  std::uint64_t memory_bytes() const;

 protected:
  Result<void> submit(Submission& submission) override;

 private:
  class Impl;
  explicit RocksKeyValue(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace wherry::kv
