#include "common/store/scrub.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/files.h"
#include "common/store/block_buffer.h"

namespace wherry::store {

Error Scrub::corrupt(std::string_view how) const {
  return Error(ErrorKind::kCorrupt, "the stored blob {} is damaged: {}", digest_.to_string(), how);
}

Result<void> Scrub::open() {
  // Around the page cache where that is possible: what is to be checked is the disk, and pulls keep their memory.
  auto file = open_file(path_, O_RDONLY | O_NONBLOCK | O_DIRECT);
  if (!file && errno == EINVAL) file = open_file(path_, O_RDONLY | O_NONBLOCK);
  if (!file) {
    if (errno == ENOENT) return Error(ErrorKind::kBlobUnknown, "there is no file for the blob {}", digest_.to_string());
    if (errno == ELOOP) return corrupt("its file is a symbolic link");
    return std::move(file.error());
  }
  auto size = regular_file_size(file->get(), path_);
  if (!size) return std::move(size.error());
  if (*size != row_.size()) return corrupt(fmt::format("it has {} bytes instead of {}", *size, row_.size()));
  file_ = std::move(*file);
  return {};
}

Result<bool> Scrub::step() {
  if (!file_)
    if (auto opened = open(); !opened) return std::move(opened.error());
  const std::uint64_t end = std::min(row_.size(), hasher_.size() + kStepBytes);
  while (hasher_.size() < end)
    if (auto checked = check_block(hasher_.size() / kBlockBytes); !checked) return std::move(checked.error());
  if (hasher_.size() < row_.size()) return true;
  if (const Digest actual = hasher_.finish(); actual != digest_)
    return corrupt(fmt::format("its content is {}", actual.to_string()));
  return false;
}

Result<void> Scrub::check_block(std::uint64_t block) {
  const std::uint64_t start = block * kBlockBytes;
  const auto bytes = block_buffer();
  const auto size = static_cast<std::size_t>(std::min(kBlockBytes, row_.size() - start));
  // Asks for the whole block, also where the file ends before: O_DIRECT takes only whole sectors.
  ssize_t got = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(start));
  if (got < static_cast<ssize_t>(size)) {
    ::fcntl(file_.get(), F_SETFL, 0);  // short or refused: once more, the plain way
    const auto again = read_all(file_.get(), bytes.first(size), start);
    if (!again) return corrupt(fmt::format("block {} cannot be read", block)).with_cause(again.error());
    got = static_cast<ssize_t>(*again);
  }
  if (got < static_cast<ssize_t>(size)) return corrupt("it ends too early");
  if (block_checksum(bytes.first(size)) != row_.checksums()[block])
    return corrupt(fmt::format("block {} (of 1 MiB) is not what was written", block));
  hasher_.update(bytes.first(size));
  return {};
}

}  // namespace wherry::store
