// What a BlobStore and its writers share. Internal to this room.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "common/store/blob_cache.h"
#include "common/store/blob_store.h"
#include "common/store/file_closer.h"

namespace wherry::store {

/// Lives as long as the store or any writer of it. All functions that touch files block: they run on the pool.
class BlobStore::Core {
 public:
  Core(std::string directory, Pool& pool, BlobOptions options);

  Result<void> sync_file(int fd, std::string_view what);
  Result<void> publish(int fd, std::string_view name, const Digest& digest, bool synced);
  Result<std::shared_ptr<OpenBlob>> open_blob(const Digest& digest, const BlobRow& row);
  Result<SetAside> set_aside(const Digest& digest, const BlobRow& row, std::optional<FileId> damaged, Fate fate);
  Result<void> remove(const Digest& digest);
  /// Records that the disk failed and gives the error to answer with. Never called for a full disk.
  Error fail_for_good(Error cause);
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  const BlobLayout layout;
  Pool& pool;
  const BlobOptions options;
  BlobCache cache;

 private:
  Result<void> sync_folder_for_good(int folder, const std::string& path);

  const std::shared_ptr<FileCloser> closer_ = std::make_shared<FileCloser>();
  std::atomic<bool> failed_{false};
  std::atomic<std::uint64_t> trashed_{0};
};

}  // namespace wherry::store
