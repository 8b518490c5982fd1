// BlobWriter: a blob that arrives in order, hashed and written on a pool while its next bytes are received.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/buffer.h"
#include "common/oci/digest.h"
#include "common/store/blob_row.h"
#include "common/store/upload_state.h"

namespace wherry::store {

/// A file in tmp/ on its way to being a blob; made by BlobStore::create() and resume(). One loop, one call at a time.
/// Dropping it is safe at any time between calls and leaves the file (a session may go on with it, a start removes it).
/// After the first error that append(), flush() or sync() gave, each of them gives it again: discard() it, or
/// resume a new one.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept;
  BlobWriter& operator=(BlobWriter&&) noexcept;
  ~BlobWriter();

  /// Takes a buffer and gives control back once the one before it is written: one is in work while the caller fills the
  /// next. An error is of the earlier buffer (this one is dropped). Errors: kNoSpace (what was written of that buffer
  /// is cut off again, so the file ends at size()), kIo, kUnavailable.
  Task<Result<void>> append(Buffer buffer);
  /// Takes in the next `bytes`, which somebody wrote into file() at their places and knows to be right: they are read
  /// and hashed. Gives control back once that is done. Errors: as append().
  Task<Result<void>> append_written(std::uint64_t bytes);
  /// The file, for who brings in parts of it beyond size(). What is appended later goes over them.
  int file() const;
  /// `written` is told, on a thread of the pool, how long the file is each time that it grew: before its new bytes are
  /// hashed, so that whoever follows the file need not wait for that. Only while nothing is in work.
  void when_written(std::move_only_function<void(std::uint64_t)> written);
  /// Waits until all that was taken is written.
  Task<Result<void>> flush();
  /// The same, and on the disk. After a failed sync: kIo, and BlobOptions::on_fatal is told. Failpoint: blob-synced.
  Task<Result<void>> sync();

  /// Flushes, checks the digest, and makes the file the blob: 0444, renamed, both the bytes and the name on the disk.
  /// Gives the row that the caller stores next. The writer is done after that.
  /// Errors: kDigestInvalid naming both digests (the file stays: discard() it), and those of sync().
  Task<Result<BlobRow>> commit(Digest expected);
  /// Removes the file. The writer is done after that; calling it after commit() does nothing.
  Task<Result<void>> discard();

  /// Bytes taken; after an error, bytes that are in the file.
  std::uint64_t size() const;
  /// The name in tmp/ that it was made with.
  const std::string& name() const;
  /// State to resume from, of all bytes so far. Only after flush() or sync() (aborts while a buffer is in work); only
  /// what was synced is there after a power cut.
  UploadState state() const;
  /// The digest of the bytes so far; the same condition.
  Digest digest() const;

  class State;
  explicit BlobWriter(std::shared_ptr<State> state);  ///< for BlobStore

 private:
  std::shared_ptr<State> state_;
};

}  // namespace wherry::store
