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

  /// fdatasync that counts; after an error never use the file again.
  Result<void> sync_file(int fd, std::string_view what);
  /// Makes the file `fd`, named tmp/<name>, the blob `digest`. Its content must have been checked; `synced` says that
  /// it is on the disk. 0444, fdatasync, rename, sync of the folder. Or, where nothing has the name yet and the file
  /// system has an ordered journal: written and waited for, rename, one fsync. Either way no file has a blob's name,
  /// in any state that a power cut may leave, before all of it is on the disk.
  /// Failpoints: blob-synced, blob-renamed, folder-synced; by one sync blob-renamed is the first.
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
  bool ordered_journal = false;  ///< of the file system, known once the store is open

 private:
  Error failed_sync(int cause, std::string_view what);
  Result<bool> publish_by_one_sync(int fd, const std::string& from, const std::string& to);
  Result<void> rename_synced(const std::string& from, const std::string& to, const Digest& digest);
  Result<void> sync_folder_for_good(int folder, const std::string& path);

  const std::shared_ptr<FileCloser> closer_ = std::make_shared<FileCloser>();
  std::atomic<bool> failed_{false};
  std::atomic<std::uint64_t> trashed_{0};
};

}  // namespace wherry::store
