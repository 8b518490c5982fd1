#include "node/cache/node_blobs.h"

#include "common/base/log.h"
#include "common/registry/tables.h"
#include "node/fill/relay.h"

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

/// A body that holds its blob until it is sent.
class HeldBody final : public http::Body {
 public:
  HeldBody(std::unique_ptr<http::Body> body, CacheSpace::Hold hold) : hold_(std::move(hold)), body_(std::move(body)) {}
  int file() const override { return body_->file(); }
  std::uint64_t size() const override { return body_->size(); }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    return body_->try_ready(offset, want, end);
  }
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    return body_->ready(offset, want, end);
  }
  Task<void> could_not_be_sent() override { return body_->could_not_be_sent(); }

 private:
  CacheSpace::Hold hold_;  // ends after the body has closed its file
  std::unique_ptr<http::Body> body_;
};

std::string negative_key(const RepositoryName& repository, const Digest& digest) {
  return "b" + repository.text() + '\0' + digest.to_string();
}

}  // namespace

NodeBlobs::NodeBlobs(registry::Storage& storage, CacheSpace& space, registry::NameStore& held,
                     registry::CheckedBlobs& checked, const Upstreams& upstreams, Negatives& negatives, Fills& fills,
                     const std::vector<Loop*>& loops, Metrics& metrics)
    : storage_(storage),
      space_(space),
      held_(held),
      checked_(checked),
      upstreams_(upstreams),
      negatives_(negatives),
      fills_(fills),
      asking_(loops),
      hits_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "held")),
      misses_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "parent")),
      relayed_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "parent unstored")) {}

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
  auto said = co_await upstream_size(repository, digest);
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
  if (member) {
    co_await note_source(Source::kHit);
    co_return member->size();
  }
  if (member.error().kind() != ErrorKind::kBlobUnknown) co_return member.error();
  if (const auto fill = co_await fills_.find(repository, digest)) {
    auto size = co_await fill->size();
    if (size) co_return size;
  }
  co_return co_await upstream_size(repository, digest);
}

Task<Result<std::uint64_t>> NodeBlobs::upstream_size(const RepositoryName& repository, const Digest& digest) {
  const std::string key = negative_key(repository, digest);
  if (auto negative = negatives_.find(key)) co_return *negative;
  const auto work = [this, repository, digest] { return ask_size(repository, digest); };
  co_return co_await asking_.join(key, work);
}

Task<Result<std::uint64_t>> NodeBlobs::ask_size(RepositoryName repository, Digest digest) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  auto size = co_await upstream.blob_size(remote->repository(), digest);
  if (size) co_return size;
  Error error = size.error();
  if (error.kind() == ErrorKind::kBlobUnknown) error = registry::blob_unknown(repository, digest);
  negatives_.keep(negative_key(repository, digest), error, remote->origin().options().negative_age);
  co_return error;
}

Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open(const RepositoryName& repository, const Digest& digest) {
  auto hold = space_.hold(digest);  // before its row is looked at: from here on it stays, or is on its way out already
  auto row = co_await held_row(repository, digest);
  if (row) {
    auto held = co_await checked_.open(digest, std::move(*row));
    if (held) {
      hits_.add();
      co_await note_source(Source::kHit);
      co_return std::make_unique<HeldBody>(std::move(*held), std::move(hold));
    }
    if (held.error().kind() != ErrorKind::kCorrupt) co_return held;
    // It was damaged, or evicted since, and is forgotten now: it comes anew.
  } else if (row.error().kind() != ErrorKind::kBlobUnknown) {
    co_return row.error();
  }
  hold.end();
  misses_.add();
  co_return co_await open_filling(repository, digest);
}

Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open_filling(const RepositoryName& repository,
                                                                  const Digest& digest) {
  const std::string key = negative_key(repository, digest);
  if (auto negative = negatives_.find(key)) co_return *negative;
  auto fill = co_await fills_.join(repository, digest);
  if (!fill) co_return fill.error();
  if (*fill == nullptr) {  // it came in since we looked
    auto hold = space_.hold(digest);
    auto row = co_await held_row(repository, digest);
    if (!row) co_return row.error();
    auto held = co_await checked_.open(digest, std::move(*row));
    if (!held) co_return held;
    co_await note_source(Source::kJoined);
    co_return std::make_unique<HeldBody>(std::move(*held), std::move(hold));
  }
  auto size = co_await (*fill)->size();
  if (!size) {
    Error error = size.error();
    if (error.kind() == ErrorKind::kNoSpace) {
      auto remote = upstreams_.remote(repository);
      if (!remote) co_return remote.error();
      relayed_.add();
      Upstream upstream = remote->upstream();
      co_return co_await Relay::open(upstream, storage_.blobs().pool(), remote->repository(), digest);
    }
    if (error.kind() == ErrorKind::kBlobUnknown) error = registry::blob_unknown(repository, digest);
    if (auto remote = upstreams_.remote(repository))
      negatives_.keep(key, error, remote->origin().options().negative_age);
    co_return error;
  }
  auto hold = space_.hold(digest, CacheSpace::Read::kFill);
  if (*size == 0) {  // no byte to hold back: the answer itself waits until it is known to be right
    auto done = co_await (*fill)->done();
    if (!done) co_return done.error();
  }
  co_return std::make_unique<HeldBody>(std::make_unique<FillBody>(std::move(*fill), *size), std::move(hold));
}

}  // namespace wherry::node
