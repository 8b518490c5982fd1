#include "common/store/open_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/store/block_buffer.h"
#include "common/store/file_closer.h"
#include "common/store/files.h"

namespace wherry::store {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kReadAheadBytes = 2 * kBlockBytes;

}  // namespace

FileId FileId::of(int fd) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return {};
  return {about.st_dev, about.st_ino};
}

OpenBlob::OpenBlob(Digest digest, BlobRow row, UniqueFd file, Pool& pool, std::shared_ptr<FileCloser> closer)
    : digest_(digest),
      row_(std::move(row)),
      file_(std::move(file)),
      pool_(pool),
      closer_(std::move(closer)),
      verified_((row_.checksums().size() + 63) / 64) {}

OpenBlob::~OpenBlob() {
  struct stat about{};
  const bool last_name_gone = ::fstat(file_.get(), &about) == 0 && about.st_nlink == 0;
  if (last_name_gone && size() > kBlockBytes) closer_->close_later(std::move(file_));
}

bool OpenBlob::verified(std::uint64_t block) const {
  return (verified_[block / 64].load(std::memory_order_acquire) >> (block % 64) & 1) != 0;
}

void OpenBlob::set_verified(std::uint64_t block, bool value) {
  const std::uint64_t bit = std::uint64_t{1} << (block % 64);
  if (value)
    verified_[block / 64].fetch_or(bit, std::memory_order_release);
  else
    verified_[block / 64].fetch_and(~bit, std::memory_order_release);
}

bool OpenBlob::in_memory(std::uint64_t offset) const {
  char byte = 0;
  const iovec into{&byte, 1};
  const ssize_t got = ::preadv2(file_.get(), &into, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  // A file system that cannot say (tmpfs before 6.x) is taken to have it: the block was read moments ago or is memory.
  return got == 1 || (got < 0 && errno == EOPNOTSUPP);
}

Error OpenBlob::corrupt_error() const {
  return Error(ErrorKind::kCorrupt, "the stored blob {} is damaged: its bytes are not those that were written",
               digest_.to_string());
}

std::optional<Result<std::uint64_t>> OpenBlob::try_ready(std::uint64_t offset, std::uint64_t want) {
  if (offset >= size() || want == 0) return 0;
  if (damaged()) return corrupt_error();
  const std::uint64_t end = offset + std::min({want, kTurnBytes, size() - offset});
  std::uint64_t ready_to = offset;
  while (ready_to < end) {
    const std::uint64_t block = ready_to / kBlockBytes;
    const std::uint64_t part_end = std::min(end, (block + 1) * kBlockBytes);
    if (!verified(block)) break;
    const bool one_page = ready_to / kPageBytes == (part_end - 1) / kPageBytes;
    if (!in_memory(ready_to) || (!one_page && !in_memory(part_end - 1))) {
      set_verified(block, false);  // it will come from the disk again, so it is proven again
      break;
    }
    ready_to = part_end;
  }
  if (ready_to == offset) return std::nullopt;
  return ready_to - offset;
}

Task<Result<std::uint64_t>> OpenBlob::ready(std::uint64_t offset, std::uint64_t want) {
  auto at_once = try_ready(offset, want);
  if (at_once) co_return std::move(*at_once);
  auto granted = co_await pool_.run([this, offset, want] { return read_and_check(offset, want); });
  co_return granted;
}

Result<std::uint64_t> OpenBlob::read_and_check(std::uint64_t offset, std::uint64_t want) {
  const std::uint64_t end = offset + std::min({want, kTurnBytes, size() - offset});
  std::uint64_t ready_to = offset;
  while (ready_to < end) {
    const std::uint64_t block = ready_to / kBlockBytes;
    const std::uint64_t block_end = std::min(size(), (block + 1) * kBlockBytes);
    if (block_end < size())
      ::posix_fadvise(file_.get(), static_cast<off_t>(block_end), static_cast<off_t>(kReadAheadBytes),
                      POSIX_FADV_WILLNEED);
    if (auto checked = check_block(block); !checked) {
      if (ready_to == offset) return std::move(checked.error());
      break;
    }
    ready_to = std::min(end, block_end);
  }
  return ready_to - offset;
}

Result<void> OpenBlob::check_block(std::uint64_t block) {
  const std::uint64_t start = block * kBlockBytes;
  const auto bytes = block_buffer().first(static_cast<std::size_t>(std::min(kBlockBytes, size() - start)));
  const auto got = read_all(file_.get(), bytes, start);
  // A sector that cannot be read is damage like another: the copy elsewhere is what helps.
  if (got && *got == bytes.size() && block_checksum(bytes) == row_.checksums()[block]) {
    set_verified(block, true);
    return {};
  }
  damaged_.store(true, std::memory_order_relaxed);
  if (!got) return corrupt_error().with_cause(got.error());
  return corrupt_error();
}

}  // namespace wherry::store
