#include "common/bundle/bundle_reader.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/oci/excerpt.h"

namespace wherry::bundle {

Error not_a_bundle(std::string_view how) {
  return Error(ErrorKind::kInvalid, "this is not a bundle that an export wrote: {}", how);
}

Task<Result<std::unique_ptr<BundleReader>>> BundleReader::open(std::string path, Pool& disk) {
  auto tar = co_await disk.run([&path] { return TarReader::open(path); });
  if (!tar) co_return tar.error();
  std::unique_ptr<BundleReader> reader(new BundleReader(std::move(*tar), disk));
  auto begun = co_await reader->begin();
  if (!begun) co_return begun.error();
  co_return std::move(reader);
}

Task<Result<void>> BundleReader::begin() {
  auto first = co_await next_file();
  if (!first) co_return first.error();
  if (!*first || (*first)->name != kLayoutFile) co_return not_a_bundle("it does not begin with oci-layout");
  auto content = co_await whole_file(**first, kLayoutContent.size());
  if (!content) co_return content.error();
  if (*content != kLayoutContent) co_return not_a_bundle("its oci-layout is another");
  auto second = co_await next_file();
  if (!second) co_return second.error();
  if (!*second || ((*second)->name != kSnapshotFile && (*second)->name != kFeedFile))
    co_return not_a_bundle("its names do not come first");
  names_file_ = **second;
  is_whole_ = names_file_.name == kSnapshotFile;
  co_return Result<void>();
}

Task<Result<Buffer>> BundleReader::next_piece() {
  auto piece = co_await next_bytes();
  if (!piece) co_return piece;
  names_hasher_.update(piece->bytes());
  Result<void> taken;
  if (piece->empty())
    names_.finish();
  else
    taken = names_.take(as_text(piece->bytes()));
  if (!taken) co_return taken.error();
  co_return piece;
}

Task<Result<Buffer>> BundleReader::piece_again(std::uint64_t offset) {
  Buffer buffer = Buffer::take();
  const auto left = names_file_.size_bytes - std::min(offset, names_file_.size_bytes);
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, Buffer::kBytes));
  auto got =
      co_await disk_.run([&, this] { return tar_.read_at(names_file_.offset + offset, buffer.space().first(wanted)); });
  if (!got) co_return got.error();
  buffer.fill(wanted);
  co_return std::move(buffer);
}

Task<Result<std::optional<TarReader::File>>> BundleReader::next_file() {
  co_return co_await disk_.run([this] { return tar_.next(); });
}

Task<Result<Buffer>> BundleReader::next_bytes() {
  Buffer buffer = Buffer::take();
  auto got = co_await disk_.run([&, this] { return tar_.read(buffer.space()); });
  if (!got) co_return got.error();
  buffer.fill(*got);
  co_return std::move(buffer);
}

Task<Result<std::string>> BundleReader::whole_file(const TarReader::File& file, std::size_t most) {
  if (file.size_bytes > most)
    co_return not_a_bundle(fmt::format("{} has {} bytes, and may have {}", excerpt(file.name), file.size_bytes, most));
  std::string content;
  content.reserve(static_cast<std::size_t>(file.size_bytes));
  while (true) {
    auto piece = co_await next_bytes();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return content;
    content += as_text(piece->bytes());
  }
}

Task<Result<std::string>> BundleReader::again(std::uint64_t offset, std::size_t size, const Digest& digest) {
  std::string content(size, '\0');
  auto got = co_await disk_.run([&, this]() -> Result<void> {
    auto done = tar_.read_at(offset, std::as_writable_bytes(std::span(content)));
    if (!done) return done;
    if (Digest::of(digest.algorithm(), content) == digest) return {};
    return Error(ErrorKind::kInvalid, "the bundle was changed while it was read");
  });
  if (!got) co_return got.error();
  co_return content;
}

Facts BundleReader::facts() const {
  Facts facts;
  const feed::Head last = names_.last_head().value_or(feed::Head());
  facts.position = last.position;
  facts.epoch = last.epoch;
  if (!is_whole_) facts.since = names_.first_entry() > 0 ? names_.first_entry() - 1 : last.position;
  facts.names = names_hasher_.finish();
  return facts;
}

}  // namespace wherry::bundle
