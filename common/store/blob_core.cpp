#include "common/store/blob_core.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/base/failpoint.h"
#include "common/base/files.h"
#include "common/base/log.h"

namespace wherry::store {
namespace {

Error unknown_blob(const Digest& digest) {
  return Error(ErrorKind::kBlobUnknown, "there is no file for the blob {}", digest.to_string());
}

Error already_failed() { return Error(ErrorKind::kIo, "the blob store failed to sync earlier and must be restarted"); }

}  // namespace

BlobStore::Core::Core(std::string directory, Pool& work_pool, BlobOptions blob_options)
    : layout(std::move(directory)),
      pool(work_pool),
      options(std::move(blob_options)),
      cache(std::max<std::size_t>(1, options.open_blobs / std::max<std::size_t>(1, options.loops))) {}

Error BlobStore::Core::fail_for_good(Error cause) {
  // The kernel reports a failed write-back once and then calls the pages clean: trying again would only look well.
  Error error = Error(ErrorKind::kIo, "the disk failed, so what is on it is unknown; the process must be restarted")
                    .with_cause(std::move(cause));
  if (!failed_.exchange(true, std::memory_order_acq_rel) && options.on_fatal) options.on_fatal(error);
  return error;
}

Error BlobStore::Core::failed_sync(int cause, std::string_view what) {
  Error error = system_error(cause, fmt::format("sync {}", what));
  if (error.kind() == ErrorKind::kNoSpace) return error;  // late allocation: this file is lost, the disk is well
  return fail_for_good(std::move(error));
}

Result<void> BlobStore::Core::sync_file(int fd, std::string_view what) {
  if (failed()) return already_failed();
  if (::fdatasync(fd) != 0) return failed_sync(errno, what);
  failpoint("blob-synced");
  return {};
}

Result<void> BlobStore::Core::sync_folder_for_good(int folder, const std::string& path) {
  if (::fsync(folder) != 0) return fail_for_good(system_error(errno, "sync " + path));
  return {};
}

/// False when something has the name already, or the file system will not rename so: nothing has happened then.
Result<bool> BlobStore::Core::publish_by_one_sync(int fd, const std::string& from, const std::string& to) {
  // A commit of the journal that somebody else asks for may take the name along before the fsync below. So all bytes
  // are on the device before there is a name, and with them, in this transaction of the journal or in an earlier one,
  // their extents and the size: ext4 ends a page's write-back when it has entered those, not before. Whatever commits
  // the name commits them, and flushes the device before it does. Without this the file could be empty after a power
  // cut, for ext4 allocates late.
  constexpr unsigned kWriteAndWait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if (::sync_file_range(fd, 0, 0, kWriteAndWait) != 0) return failed_sync(errno, from);
  // Never in the place of another file: that one may be a blob that was promised, and this one is not synced.
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) return false;
  failpoint("blob-renamed");
  // Not fdatasync: the name is in the transaction that changed the file's ctime. A full disk showed above.
  if (::fsync(fd) != 0) return fail_for_good(system_error(errno, "sync " + to));
  failpoint("blob-synced");
  failpoint("folder-synced");
  return true;
}

Result<void> BlobStore::Core::publish(int fd, std::string_view name, const Digest& digest, bool synced) {
  if (failed()) return already_failed();
  const std::string from = layout.temporary(name);
  const std::string to = layout.blob(digest);
  if (::fchmod(fd, 0444) != 0) return system_error(errno, "make read-only " + from);
  if (!synced && ordered_journal) {
    auto published = publish_by_one_sync(fd, from, to);
    if (!published) return std::move(published.error());
    if (*published) return {};
  }
  if (!synced)
    if (auto done = sync_file(fd, from); !done) return done;
  return rename_synced(from, to, digest);
}

Result<void> BlobStore::Core::rename_synced(const std::string& from, const std::string& to, const Digest& digest) {
  // Opened before the name changes: without a descriptor to sync it by, nothing has happened yet.
  const std::string shard = layout.shard(digest);
  auto folder = open_file(shard, O_RDONLY | O_DIRECTORY);
  if (!folder) return std::move(folder.error());
  struct stat there{};
  if (::lstat(to.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) {  // nobody of ours made it, and it bars the name
    auto moved = rename_file(to, layout.trash(fmt::format("{}-{}", trashed_.fetch_add(1), digest.hex())));
    if (!moved) return std::move(moved.error());
  }
  auto renamed = rename_file(from, to);
  if (!renamed) return std::move(renamed.error());
  if (!*renamed) return Error(ErrorKind::kIo, "cannot rename {} to {}: one of them is gone", from, to);
  failpoint("blob-renamed");
  if (auto done = sync_folder_for_good(folder->get(), shard); !done) return done;
  failpoint("folder-synced");
  return {};
}

Result<std::shared_ptr<OpenBlob>> BlobStore::Core::open_blob(const Digest& digest, const BlobRow& row) {
  const std::string path = layout.blob(digest);
  auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) {
    if (errno == ENOENT) return unknown_blob(digest);
    if (errno == ELOOP) return Error(ErrorKind::kCorrupt, "{} is not a regular file", path);
    return std::move(file.error());
  }
  auto size = regular_file_size(file->get(), path);
  if (!size) return std::move(size.error());
  if (*size != row.size())
    return Error(ErrorKind::kCorrupt, "{} has {} bytes, but {} were stored", path, *size, row.size());
  return std::make_shared<OpenBlob>(digest, row, std::move(*file), pool, closer_);
}

Result<SetAside> BlobStore::Core::set_aside(const Digest& digest, const BlobRow& row, std::optional<FileId> damaged,
                                            Fate fate) {
  const std::string aside = fate == Fate::kQuarantine
                                ? layout.quarantine(digest)
                                : layout.trash(fmt::format("{}-{}", trashed_.fetch_add(1), digest.hex()));
  const std::string shard = layout.shard(digest);
  auto folder = open_file(shard, O_RDONLY | O_DIRECTORY);
  if (!folder) return std::move(folder.error());
  auto aside_folder = open_file(layout.quarantine_folder(), O_RDONLY | O_DIRECTORY);
  if (!aside_folder) return std::move(aside_folder.error());
  // Moved first and looked at then: whoever gives the name to a good file meanwhile gives it to another file.
  auto moved = rename_file(layout.blob(digest), aside);
  if (!moved) return std::move(moved.error());
  cache.retire(digest);
  if (!*moved) return SetAside::kMissing;
  auto file = open_file(aside, O_RDONLY | O_NONBLOCK);  // it may be anything, a pipe too
  if (file) {
    const auto size = regular_file_size(file->get(), aside);
    const bool same = damaged ? FileId::of(file->get()) == *damaged : !size || *size != row.size();
    if (!same) {
      auto back = rename_file(aside, layout.blob(digest));
      if (!back) return std::move(back.error());
      return SetAside::kReplaced;
    }
  }
  if (fate == Fate::kDrop) {
    auto removed = remove_tree(aside);
    if (!removed) return removed.error();
  } else if (auto done = sync_folder_for_good(aside_folder->get(), layout.quarantine_folder()); !done) {
    return std::move(done.error());
  }
  if (auto done = sync_folder_for_good(folder->get(), shard); !done) return std::move(done.error());
  return SetAside::kMoved;
}

Result<void> BlobStore::Core::remove(const Digest& digest) {
  // By way of trash/, so that one who opens the name during a slow unlink finds nothing, not half.
  const std::string aside = layout.trash(fmt::format("{}-{}", trashed_.fetch_add(1), digest.hex()));
  auto moved = rename_file(layout.blob(digest), aside);
  if (!moved) return std::move(moved.error());
  cache.retire(digest);
  if (!*moved) return {};
  return remove_tree(aside);
}

}  // namespace wherry::store
