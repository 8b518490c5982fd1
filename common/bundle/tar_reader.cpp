#include "common/bundle/tar_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "common/bundle/tar_header.h"

namespace wherry::bundle {
namespace {

bool all_zero(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c == '\0'; });
}

}  // namespace

Error TarReader::wrong(std::string_view how) const {
  return Error(ErrorKind::kInvalid, "the bundle is damaged, or was changed, at byte {}: {}", at_, how);
}

Result<TarReader> TarReader::open(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file && errno == ENOENT) return Error(ErrorKind::kNotFound, "there is no file {}", path);
  if (!file) return file.error();
  auto size = regular_file_size(file->get(), path);
  if (!size) return Error(ErrorKind::kInvalid, "{} is no regular file", path);
  return TarReader(std::move(*file));
}

Result<std::string> TarReader::take_block() {
  std::string block(kTarBlockBytes, '\0');
  auto got = read_all(file_.get(), std::as_writable_bytes(std::span(block)), at_);
  if (!got) return got.error();
  if (*got != block.size()) return wrong("it ends here, and should not");
  at_ += block.size();
  return block;
}

Result<std::optional<TarReader::File>> TarReader::next() {
  if (left_ > 0 || padding_ > 0) return Error(ErrorKind::kInternal, "a file of the bundle was not read to its end");
  auto header = take_block();
  if (!header) return header.error();
  if (all_zero(*header)) {
    auto second = take_block();
    if (!second) return second.error();
    std::array<std::byte, 1> more{};
    auto got = read_all(file_.get(), more, at_);
    if (!got) return got.error();
    if (!all_zero(*second) || *got != 0) return wrong("something follows its end");
    return std::optional<File>();
  }
  auto claim = read_tar_claim(*header);
  std::string name(claim ? claim->name : std::string_view());
  if (claim && claim->is_long_name) {
    auto long_name = take_block();
    if (!long_name) return long_name.error();
    auto file_header = take_block();
    if (!file_header) return file_header.error();
    name = long_name->substr(0, long_name->find('\0'));
    claim = read_tar_claim(*file_header);
    *header += *long_name + *file_header;
  }
  if (!claim || name.empty() || name.size() > kMaxTarNameBytes || tar_header(name, claim->size_bytes) != *header)
    return wrong("the header of a file is not one that an export writes");
  File file{std::move(name), claim->size_bytes, at_};
  left_ = file.size_bytes;
  padding_ = tar_padding(file.size_bytes);
  return std::optional<File>(std::move(file));
}

Result<std::size_t> TarReader::read(std::span<std::byte> into) {
  if (left_ == 0) {
    std::array<std::byte, kTarBlockBytes> padding{};
    const auto wanted = std::span(padding).first(std::exchange(padding_, 0));
    auto got = read_all(file_.get(), wanted, at_);
    if (!got) return got.error();
    if (*got != wanted.size()) return wrong("it ends here, and should not");
    if (!all_zero(as_text(wanted))) return wrong("there is something between two files");
    at_ += wanted.size();
    return std::size_t{0};
  }
  const auto wanted = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_)));
  auto got = read_all(file_.get(), wanted, at_);
  if (!got) return got.error();
  if (*got != wanted.size()) return wrong("it ends here, and should not");
  at_ += wanted.size();
  left_ -= wanted.size();
  return wanted.size();
}

Result<void> TarReader::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  auto got = read_all(file_.get(), into, offset);
  if (!got) return got.error();
  if (*got != into.size()) return Error(ErrorKind::kInvalid, "the bundle was cut while it was read");
  return {};
}

}  // namespace wherry::bundle
