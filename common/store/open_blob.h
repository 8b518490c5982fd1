// OpenBlob: a stored blob's open file, with proof for every block that leaves it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/async/pool.h"
#include "common/async/task.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/oci/digest.h"
#include "common/store/blob_row.h"

namespace wherry::store {

class FileCloser;

/// Which file a name stood for: a name may be given to another one, this stays.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileId&) const = default;
  /// Of an open file.
  static FileId of(int fd);
};

/// An open blob, shared between readers on any loop; stays readable after the blob is removed or quarantined. A block
/// is read and compared with its checksum once, and again whenever any page of it had left the page cache. What stays
/// open: a page that another process brings back from a disk that has changed it meanwhile; the scrubber finds that.
class OpenBlob {
 public:
  /// The most that one ready() grants: then it is another reader's turn.
  static constexpr std::uint64_t kTurnBytes = 2 * kBlockBytes;

  OpenBlob(Digest digest, BlobRow row, UniqueFd file, Pool& pool, std::shared_ptr<FileCloser> closer);
  ~OpenBlob();
  OpenBlob(const OpenBlob&) = delete;
  OpenBlob& operator=(const OpenBlob&) = delete;

  const Digest& digest() const { return digest_; }
  std::uint64_t size() const { return row_.size(); }
  const BlobRow& row() const { return row_; }
  FileId file_id() const { return FileId::of(file_.get()); }
  /// For sendfile(2) of what ready() granted. Never write, never close.
  int fd() const { return file_.get(); }

  /// How many bytes from `offset`, at most `want` and kTurnBytes, may be sent by sendfile now: checked, and in memory.
  /// Nothing when a disk must be asked first: then await ready(). No lock, no disk; one is_resident() a
  /// block. 0 only for want = 0 or an offset at (or beyond) the end. Errors: kCorrupt once damage was found.
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want);

  /// The same, reading and checking on the pool what try_ready() cannot promise. The blob must be held by the caller
  /// until it gives its result. Errors: kCorrupt when a block is not what was stored (the caller quarantines the blob),
  /// kUnavailable.
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want);

  /// True once a block did not match.
  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }

 private:
  Result<std::uint64_t> read_and_check(std::uint64_t offset, std::uint64_t want);
  Result<void> check_block(std::uint64_t block);
  bool verified(std::uint64_t block) const;
  void set_verified(std::uint64_t block, bool value);
  bool holds(std::uint64_t block, std::uint64_t offset, std::uint64_t bytes);
  void read_ahead(std::uint64_t first);
  void notice_changes();
  Error corrupt_error() const;

  const Digest digest_;
  const BlobRow row_;
  UniqueFd file_;
  Pool& pool_;
  std::shared_ptr<FileCloser> closer_;
  std::vector<std::atomic<std::uint64_t>> verified_;
  std::atomic<std::int64_t> changed_at_;  // st_ctim in nanoseconds when the blocks were proven
  std::atomic<bool> damaged_{false};
};

}  // namespace wherry::store
