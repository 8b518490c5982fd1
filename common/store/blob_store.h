// BlobStore: content-addressed blobs in files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/pool.h"
#include "common/async/task.h"
#include "common/base/error.h"
#include "common/oci/digest.h"
#include "common/store/blob_row.h"
#include "common/store/blob_writer.h"
#include "common/store/journal.h"
#include "common/store/layout.h"
#include "common/store/open_blob.h"

namespace wherry::store {

/// Where a damaged file goes: quarantine/, for people to look at, or away.
enum class Fate { kQuarantine, kDrop };
/// What was found when a damaged file was to be moved.
enum class SetAside {
  kMoved,
  kMissing,   ///< There was no file.
  kReplaced,  ///< There is another, and it was left alone.
};

/// How a BlobStore is set up.
struct BlobOptions {
  /// Open files kept for the next reader, all loops together.
  std::size_t open_blobs = 1024;
  /// Among how many loops they are divided.
  std::size_t loops = 1;
  /// Which files tmp/upload-<id> survive the start; none when empty.
  std::function<bool(std::string_view upload_id)> keep_upload;
  /// Told once, on a pool's thread, when a sync failed: what is on the disk is unknown, the process must end (74).
  /// Every sync and commit after that fails.
  std::function<void(const Error&)> on_fatal;
  /// Asked once, when the store is opened: whether a new blob may have its name before its one sync (see commit()).
  std::function<bool(const std::string& directory)> ordered_journal = has_ordered_journal;
};

/// The blobs of one data directory. The rows (BlobRow) that say which blobs there are belong to the caller: write the
/// row after commit(), erase it before remove(). All calls from any loop; outlives its writers' tasks, not its open
/// blobs.
class BlobStore {
 public:
  /// Prepares the directory (see BlobLayout::prepare). Blocks. `pool` does all file work.
  static Result<std::unique_ptr<BlobStore>> open(std::string directory, Pool& pool, BlobOptions options);
  ~BlobStore();

  /// A new file tmp/<name> (an existing one is emptied). The algorithm is that of the digest it will have.
  /// Errors: kInvalid for a name that is not BlobLayout::is_name, kNoSpace, kIo (told to on_fatal when the disk failed
  /// or takes nothing any more).
  Task<Result<BlobWriter>> create(std::string name, DigestAlgorithm algorithm = DigestAlgorithm::kSha256);
  /// Goes on with tmp/<name> behind the bytes of `state`; what lies beyond them is cut off. Reads at most one block.
  /// Errors: kUploadUnknown when the file is not there, kCorrupt when it is shorter than the state says, kIo.
  Task<Result<BlobWriter>> resume(std::string name, UploadState state);
  /// Removes tmp/<name> of a session that has no writer; fine when it is not there.
  Task<Result<void>> discard(std::string name);

  /// The blob if this loop (or a neighbour) has it open: no disk, no waiting. Null when not: then await open_blob().
  std::shared_ptr<OpenBlob> cached(const Digest& digest);
  /// Opens a blob whose row the caller has read, on the pool, unless it is open already.
  /// Errors: kBlobUnknown when there is no file, kCorrupt when it is no regular file or its size is not the row's.
  Task<Result<std::shared_ptr<OpenBlob>>> open_blob(Digest digest, BlobRow row);

  /// Forgets the open file; who reads it now may go on. For deletes, quarantine and eviction (which do it themselves).
  void retire(const Digest& digest);
  /// Blocks, for the body of a transaction that erases the row: moves a damaged blob's file out of the way, unless the
  /// name stands for another file than `damaged` by now. Without `damaged` (it could not be opened): unless the file
  /// there looks as the row says. Readers of the old file go on. Errors: kIo, kNoSpace.
  Result<SetAside> set_aside(const Digest& digest, const BlobRow& row, std::optional<FileId> damaged, Fate fate);
  /// Removes a blob whose row is gone; fine when it is not there. Its space is free once the last reader ends.
  Task<Result<void>> remove(Digest digest);
  /// Reads the whole blob from the disk, around the page cache where the file system can, and compares its blocks and
  /// its digest. In steps, so other work gets its turn. Errors: kBlobUnknown, kCorrupt.
  Task<Result<void>> verify(Digest digest, BlobRow row);

  const BlobLayout& layout() const;
  Pool& pool() const;
  /// True after a failed sync: nothing may be acknowledged any more.
  bool failed() const;

  class Core;

 private:
  explicit BlobStore(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace wherry::store
