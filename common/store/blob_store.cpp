#include "common/store/blob_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/base/files.h"
#include "common/store/blob_core.h"
#include "common/store/blob_writer_state.h"
#include "common/store/block_buffer.h"
#include "common/store/scrub.h"

namespace wherry::store {
namespace {

Result<void> check_name(std::string_view name) {
  if (BlobLayout::is_name(name)) return {};
  return Error(ErrorKind::kInvalid, "\"{}\" cannot be the name of a temporary file", name);
}

using StateResult = Result<std::shared_ptr<BlobWriter::State>>;

StateResult create_file(const std::shared_ptr<BlobStore::Core>& core, const std::string& name,
                        DigestAlgorithm algorithm) {
  if (auto checked = check_name(name); !checked) return std::move(checked.error());
  auto file = open_file(core->layout.temporary(name), O_RDWR | O_CREAT | O_TRUNC);
  if (!file && (errno == EIO || errno == EROFS)) return core->fail_for_good(std::move(file.error()));
  if (!file) return std::move(file.error());
  return std::make_shared<BlobWriter::State>(core, name, std::move(*file), Hasher(algorithm));
}

StateResult resume_file(const std::shared_ptr<BlobStore::Core>& core, const std::string& name,
                        const UploadState& saved) {
  if (auto checked = check_name(name); !checked) return std::move(checked.error());
  const std::string path = core->layout.temporary(name);
  auto file = open_file(path, O_RDWR);
  if (!file) {
    if (errno == ENOENT) return Error(ErrorKind::kUploadUnknown, "the file of this upload is gone; begin anew");
    return std::move(file.error());
  }
  auto size = regular_file_size(file->get(), path);
  if (!size) return std::move(size.error());
  if (*size < saved.size())
    return Error(ErrorKind::kCorrupt, "{} has {} bytes, but {} were acknowledged", path, *size, saved.size());
  if (::ftruncate(file->get(), static_cast<off_t>(saved.size())) != 0) return system_error(errno, "cut " + path);

  const std::uint64_t open_block = saved.whole_blocks().size() * kBlockBytes;
  const auto tail = block_buffer().first(static_cast<std::size_t>(saved.size() - open_block));
  auto got = read_all(file->get(), tail, open_block);
  if (!got) return std::move(got.error());
  if (*got != tail.size()) return Error(ErrorKind::kCorrupt, "{} ended while it was read", path);
  auto state = std::make_shared<BlobWriter::State>(core, name, std::move(*file), saved.hasher());
  state->blocks.start_after(saved.whole_blocks());
  state->blocks.update(tail);
  state->write_back_from = saved.size();
  return state;
}

}  // namespace

BlobStore::BlobStore(std::shared_ptr<Core> core) : core_(std::move(core)) {}
BlobStore::~BlobStore() = default;

Result<std::unique_ptr<BlobStore>> BlobStore::open(std::string directory, Pool& pool, BlobOptions options) {
  auto core = std::make_shared<Core>(std::move(directory), pool, std::move(options));
  if (auto prepared = core->layout.prepare(core->options.keep_upload); !prepared) return std::move(prepared.error());
  core->ordered_journal = core->options.ordered_journal(core->layout.directory());
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(core)));
}

Task<Result<BlobWriter>> BlobStore::create(std::string name, DigestAlgorithm algorithm) {
  const std::shared_ptr<Core> core = core_;
  auto state = co_await core->pool.run([&core, &name, algorithm] { return create_file(core, name, algorithm); });
  if (!state) co_return std::move(state.error());
  co_return BlobWriter(std::move(*state));
}

Task<Result<BlobWriter>> BlobStore::resume(std::string name, UploadState saved) {
  const std::shared_ptr<Core> core = core_;
  auto state = co_await core->pool.run([&core, &name, &saved] { return resume_file(core, name, saved); });
  if (!state) co_return std::move(state.error());
  co_return BlobWriter(std::move(*state));
}

Task<Result<void>> BlobStore::discard(std::string name) {
  const std::shared_ptr<Core> core = core_;
  auto removed = co_await core->pool.run([&core, &name]() -> Result<void> {
    if (auto checked = check_name(name); !checked) return checked;
    auto gone = remove_file(core->layout.temporary(name));
    if (!gone) return std::move(gone.error());
    return {};
  });
  co_return removed;
}

std::shared_ptr<OpenBlob> BlobStore::cached(const Digest& digest) { return core_->cache.find(digest); }

Task<Result<std::shared_ptr<OpenBlob>>> BlobStore::open_blob(Digest digest, BlobRow row) {
  const std::shared_ptr<Core> core = core_;
  auto open_already = core->cache.find(digest);
  if (open_already && open_already->size() == row.size()) co_return open_already;
  const std::uint64_t epoch = core->cache.epoch();
  auto opened = co_await core->pool.run([&core, &digest, &row] { return core->open_blob(digest, row); });
  if (opened) core->cache.insert(*opened, epoch);
  co_return opened;
}

void BlobStore::retire(const Digest& digest) { core_->cache.retire(digest); }

Result<SetAside> BlobStore::set_aside(const Digest& digest, const BlobRow& row, std::optional<FileId> damaged,
                                      Fate fate) {
  return core_->set_aside(digest, row, damaged, fate);
}

Task<Result<void>> BlobStore::remove(Digest digest) {
  const std::shared_ptr<Core> core = core_;
  auto done = co_await core->pool.run([&core, &digest] { return core->remove(digest); });
  co_return done;
}

Task<Result<void>> BlobStore::verify(Digest digest, BlobRow row) {
  const std::shared_ptr<Core> core = core_;
  Scrub scrub(core->layout.blob(digest), digest, std::move(row));
  while (true) {
    auto more = co_await core->pool.run([&scrub] { return scrub.step(); });
    if (!more) co_return std::move(more.error());
    if (!*more) co_return Result<void>();
  }
}

const BlobLayout& BlobStore::layout() const { return core_->layout; }
Pool& BlobStore::pool() const { return core_->pool; }
bool BlobStore::failed() const { return core_->failed(); }

}  // namespace wherry::store
