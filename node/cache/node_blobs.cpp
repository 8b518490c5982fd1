#include "node/cache/node_blobs.h"

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::node {
namespace {

namespace tables = registry::tables;

/// A blob on its way in as the body of a response.
class FillBody final : public http::Body {
 public:
  FillBody(std::shared_ptr<store::Fill> fill, std::uint64_t size) : fill_(std::move(fill)), size_(size) {}
  int file() const override { return fill_->file(); }
  std::uint64_t size() const override { return size_; }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    return fill_->try_ready(offset, want, end);
  }
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    return fill_->ready(offset, want, end);
  }

 private:
  std::shared_ptr<store::Fill> fill_;
  std::uint64_t size_;
};

}  // namespace

NodeBlobs::NodeBlobs(registry::Storage& storage, registry::NameStore& held, Upstream& upstream, Fills& fills,
                     Loop& home, Metrics& metrics)
    : storage_(storage),
      held_(held),
      upstream_(upstream),
      fills_(fills),
      home_(home),
      hits_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "held")),
      misses_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "parent")),
      damaged_(metrics.counter("wherry_store_damaged_blobs_total", "Stored blobs found damaged")) {}

/// The row of a blob that is held and that this repository may see. Errors: kBlobUnknown when it is not held; those of
/// the parent when it has to be asked.
Task<Result<store::BlobRow>> NodeBlobs::held_row(const RepositoryName& repository, const Digest& digest) {
  auto member = co_await held_.member(repository, digest);
  if (member || member.error().kind() != ErrorKind::kBlobUnknown) co_return member;
  auto value = co_await storage_.names().get(tables::blob_key(digest));
  if (!value) co_return value.error();
  if (!*value) co_return registry::blob_unknown(repository, digest);
  auto row = store::BlobRow::decode(**value);
  if (!row) co_return row;
  auto said = co_await upstream_.blob_size(repository, digest);
  if (!said) co_return said.error();
  auto kept = co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        registry::put_membership(transaction, repository, digest);
        return {};
      },
      kv::Durability::kLazy);
  if (!kept) log::warn("a membership could not be kept", {{"error", kept.error().to_string()}});
  co_return row;
}

Task<Result<std::uint64_t>> NodeBlobs::size(const RepositoryName& repository, const Digest& digest) {
  auto member = co_await held_.member(repository, digest);
  if (member) co_return member->size();
  if (member.error().kind() != ErrorKind::kBlobUnknown) co_return member.error();
  auto size = co_await upstream_.blob_size(repository, digest);
  if (!size && size.error().kind() == ErrorKind::kBlobUnknown) co_return registry::blob_unknown(repository, digest);
  co_return size;
}

Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await held_row(repository, digest);
  if (row) {
    auto held = co_await open_held(digest, std::move(*row));
    if (held) hits_.add();
    if (held || held.error().kind() != ErrorKind::kBlobUnknown) co_return held;
  } else if (row.error().kind() != ErrorKind::kBlobUnknown) {
    co_return row.error();
  }
  misses_.add();
  co_return co_await open_filling(repository, digest);
}

/// Errors: kBlobUnknown when it was damaged (and was dropped): the caller fetches it anew.
Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open_held(const Digest& digest, store::BlobRow row) {
  auto blob = storage_.blobs().cached(digest);
  if (blob == nullptr) {
    Error why(ErrorKind::kInternal, "");
    auto opened = co_await storage_.blobs().open_blob(digest, std::move(row));
    if (opened) {
      blob = std::move(*opened);
      auto first = co_await blob->ready(0, 1);
      if (!first) why = first.error();
      if (!first) blob = nullptr;
    } else {
      why = opened.error();
    }
    if (blob == nullptr) {
      if (why.kind() != ErrorKind::kCorrupt && why.kind() != ErrorKind::kBlobUnknown) co_return why;
      auto dropped = co_await drop(digest);
      if (!dropped) co_return dropped.error();
      co_return Error(ErrorKind::kBlobUnknown, "the blob was damaged");
    }
  }
  co_return std::make_unique<registry::StoredBody>(std::move(blob), *this);
}

Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open_filling(const RepositoryName& repository,
                                                                  const Digest& digest) {
  auto fill = co_await fills_.join(repository, digest);
  if (!fill) co_return fill.error();
  if (*fill == nullptr) {  // it came in since we looked
    auto row = co_await held_row(repository, digest);
    if (!row) co_return row.error();
    co_return co_await open_held(digest, std::move(*row));
  }
  auto size = co_await (*fill)->size();
  if (!size) {
    if (size.error().kind() == ErrorKind::kBlobUnknown) co_return registry::blob_unknown(repository, digest);
    co_return size.error();
  }
  if (*size == 0) {  // no byte to hold back: the answer itself waits until it is known to be right
    auto done = co_await (*fill)->done();
    if (!done) co_return done.error();
  }
  co_return std::make_unique<FillBody>(std::move(*fill), *size);
}

void NodeBlobs::found_damaged(const Digest& digest) {
  home_.post([this, digest] { scope_.spawn(drop_later(digest)); });
}

Task<void> NodeBlobs::drop_later(Digest digest) {
  auto dropped = co_await drop(digest);
  if (!dropped) log::error("a damaged blob could not be dropped", {{"error", dropped.error().to_string()}});
}

/// Forgets a damaged blob: the row first, then the file.
Task<Result<void>> NodeBlobs::drop(Digest digest) {
  auto erased = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<bool> {
    const std::string key = tables::blob_key(digest);
    auto there = transaction.exists(key);
    if (!there) return there.error();
    if (*there) transaction.erase(key);
    return *there;
  });
  if (!erased) co_return erased.error();
  if (!*erased) co_return Result<void>();
  damaged_.add();
  log::warn("a held blob is damaged: it was dropped and is fetched anew", {{"digest", digest.to_string()}});
  co_return co_await storage_.blobs().remove(digest);
}

}  // namespace wherry::node
