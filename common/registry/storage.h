// Storage: a role's data directory: the ordered store, the blobs and the guard of its space.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/async/pool.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/kv/rocks_key_value.h"
#include "common/observe/metrics.h"
#include "common/store/blob_store.h"
#include "common/store/space.h"

namespace wherry::registry {

struct StorageOptions {
  std::string directory;
  std::size_t loops = 1;
  std::optional<std::uint64_t> low_water_bytes;  ///< space.low-water-bytes
  std::uint64_t block_cache_bytes = std::uint64_t{64} << 20;
  std::function<void(const Error&)> on_fatal;  ///< Told when a sync failed: the process must end.
};

/// Opens in the order that recovery needs: space, names, then blobs (whose tmp/ is emptied but for uploads that the
/// names know). With no room for the ordered store's own files it opens read-only: pulls go on, and it becomes writable
/// within a second of space coming back.
class Storage {
 public:
  static Task<Result<std::unique_ptr<Storage>>> open(StorageOptions options, Pool& disk, Metrics& metrics);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  kv::KeyValue& names() { return *names_; }
  store::BlobStore& blobs() { return *blobs_; }
  store::SpaceGuard& space() { return *space_; }

  /// Starts to watch the space, on this loop; stop() ends that.
  void start();
  Task<void> stop();

 private:
  Storage(StorageOptions options, Pool& disk) : options_(std::move(options)), disk_(disk) {}
  Result<void> open_names();
  Task<Result<std::vector<std::string>>> upload_ids();
  Task<void> watch_space();
  /// Looks after the space and the mark of the names. Blocks.
  Result<void> tend();

  StorageOptions options_;
  Pool& disk_;
  std::unique_ptr<store::SpaceGuard> space_;
  std::unique_ptr<kv::RocksKeyValue> names_;
  std::unique_ptr<store::BlobStore> blobs_;
  Scope scope_;
  Sleeper sleeper_;
  std::chrono::steady_clock::time_point mark_synced_;  // by tend() alone
  bool stopping_ = false;
};

}  // namespace wherry::registry
