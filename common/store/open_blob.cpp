#include "common/store/open_blob.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/files.h"
#include "common/store/block_buffer.h"
#include "common/store/file_closer.h"
#include "common/store/residency.h"

namespace wherry::store {
namespace {

constexpr std::uint64_t kReadAheadBlocks = 2;

/// When anything of the file was last changed, its bytes or its name.
std::int64_t change_time(int fd) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return -1;
  return about.st_ctim.tv_sec * 1'000'000'000 + about.st_ctim.tv_nsec;
}

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
      verified_((row_.checksums().size() + 63) / 64),
      changed_at_(change_time(file_.get())) {
  // The kernel reads nothing ahead by itself: what comes into memory unasked was not proven.
  ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_RANDOM);
}

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

/// Nobody writes to a blob: where somebody did, in memory or through it, all is proven again.
void OpenBlob::notice_changes() {
  const std::int64_t now = change_time(file_.get());
  if (changed_at_.exchange(now, std::memory_order_relaxed) == now) return;
  for (auto& word : verified_) word.store(0, std::memory_order_release);
}

/// True when the part may be sent: it was proven, and has not left memory since. A block of which any page left is
/// proven again before a byte of it goes out.
bool OpenBlob::holds(std::uint64_t block, std::uint64_t offset, std::uint64_t bytes) {
  if (!verified(block)) return false;
  if (is_resident(file_.get(), offset, bytes)) return true;
  set_verified(block, false);
  return false;
}

Error OpenBlob::corrupt_error() const {
  return Error(ErrorKind::kCorrupt, "the stored blob {} is damaged: its bytes are not those that were written",
               digest_.to_string());
}

std::optional<Result<std::uint64_t>> OpenBlob::try_ready(std::uint64_t offset, std::uint64_t want) {
  if (offset >= size() || want == 0) return 0;
  if (damaged()) return corrupt_error();
  notice_changes();
  const std::uint64_t end = offset + std::min({want, kTurnBytes, size() - offset});
  std::uint64_t ready_to = offset;
  while (ready_to < end) {
    const std::uint64_t block = ready_to / kBlockBytes;
    const std::uint64_t part_end = std::min(end, (block + 1) * kBlockBytes);
    if (!holds(block, ready_to, part_end - ready_to)) break;
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
    read_ahead(block + 1);
    if (auto checked = check_block(block); !checked) {
      if (ready_to == offset) return std::move(checked.error());
      break;
    }
    ready_to = std::min(end, block_end);
  }
  return ready_to - offset;
}

/// Asks for the next blocks that are not in memory. Never for one that counts as proven: it would come back from the
/// disk unseen.
void OpenBlob::read_ahead(std::uint64_t first) {
  const std::uint64_t end = std::min(first + kReadAheadBlocks, block_count(size()));
  for (std::uint64_t block = first; block < end; ++block) {
    const std::uint64_t start = block * kBlockBytes;
    const std::uint64_t bytes = std::min(kBlockBytes, size() - start);
    if (!holds(block, start, bytes))
      ::posix_fadvise(file_.get(), static_cast<off_t>(start), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
  }
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
