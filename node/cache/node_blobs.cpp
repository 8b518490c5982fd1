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
  bool is_coming() const override { return !fill_->is_kept(); }
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

/// A body that holds its blob until it is sent, and its file is closed.
class HeldBody final : public http::BodyAround {
 public:
  HeldBody(std::unique_ptr<http::Body> body, CacheSpace::Hold hold)
      : BodyAround(std::move(body)), hold_(std::move(hold)) {}
  ~HeldBody() override { end_body(); }

 private:
  CacheSpace::Hold hold_;
};

/// A fill for another repository that failed says nothing of this one: it is begun anew so often.
constexpr int kMostJoins = 3;

}  // namespace

NodeBlobs::NodeBlobs(registry::Storage& storage, CacheSpace& space, registry::NameStore& held,
                     registry::CheckedBlobs& checked, const Upstreams& upstreams, Fills& fills, Metrics& metrics)
    : storage_(storage),
      space_(space),
      held_(held),
      checked_(checked),
      upstreams_(upstreams),
      fills_(fills),
      hits_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "held")),
      misses_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "parent")),
      relayed_(metrics.counter("wherry_cache_blobs_total", "Blobs answered", "from", "parent unstored")) {}

Task<Result<store::BlobRow>> NodeBlobs::held_row(const RepositoryName& repository, const Digest& digest) {
  auto member = co_await held_.member(repository, digest);
  if (member || member.error().kind() != ErrorKind::kBlobUnknown) co_return member;
  auto value = co_await storage_.names().get(tables::blob_key(digest));
  if (!value) co_return value.error();
  if (!*value) co_return registry::blob_unknown(repository, digest);
  // A fill for this repository that ended between the two looks wrote both rows at once.
  auto late = co_await held_.member(repository, digest);
  if (late || late.error().kind() != ErrorKind::kBlobUnknown) co_return late;
  auto row = store::BlobRow::decode(**value);
  if (!row) co_return row;
  auto said = co_await fills_.ask_size(repository, digest);
  if (!said) co_return said.error();
  if (*said != row->size())
    co_return Error(ErrorKind::kUpstream, "the upstream of {} says that {} has {} bytes, which is not so",
                    repository.text(), digest.to_string(), *said);
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
  // A fill that ended between the two looks has left its row.
  auto late = co_await held_.member(repository, digest);
  if (late) co_return late->size();
  co_return co_await fills_.ask_size(repository, digest);
}

Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open(const RepositoryName& repository, const Digest& digest) {
  auto held = co_await open_held(repository, digest);
  if (held) {
    hits_.add();
    co_await note_source(Source::kHit);
    co_return held;
  }
  // Damaged, or evicted since it was looked up, and forgotten now: it comes anew like what was never here.
  const ErrorKind why = held.error().kind();
  if (why != ErrorKind::kBlobUnknown && why != ErrorKind::kCorrupt) co_return held;
  misses_.add();
  co_return co_await open_filling(repository, digest);
}

/// Errors: kBlobUnknown when it is not here; kCorrupt when it is not any more; those of the upstream.
Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open_held(const RepositoryName& repository, const Digest& digest) {
  auto hold = space_.hold(digest);  // before its row is looked at: from here on it stays, or is on its way out already
  auto row = co_await held_row(repository, digest);
  if (!row) co_return row.error();
  auto body = co_await checked_.open(digest, std::move(*row));
  if (!body) co_return body;
  co_return std::make_unique<HeldBody>(std::move(*body), std::move(hold));
}

Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::open_filling(const RepositoryName& repository,
                                                                  const Digest& digest) {
  for (int joins = 0; joins < kMostJoins; ++joins) {
    auto joined = co_await fills_.join(repository, digest);
    if (!joined) co_return joined.error();
    if (joined->apart) co_return co_await relay(repository, digest);
    if (joined->fill == nullptr) {  // it came in since we looked
      auto held = co_await open_held(repository, digest);
      if (held) co_await note_source(Source::kJoined);
      co_return held;
    }
    const std::shared_ptr<store::Fill> fill = std::move(joined->fill);
    auto size = co_await fill->size();
    if (!size) {
      if (size.error().kind() == ErrorKind::kNoSpace) co_return co_await relay(repository, digest);
      if (joined->own) co_return size.error();
      continue;
    }
    // Two upstreams that do not agree: this one's client gets what this one has.
    if (joined->said && *joined->said != *size) co_return co_await relay(repository, digest);
    auto hold = space_.hold(digest, CacheSpace::Read::kFill);
    if (*size == 0) {  // no byte to hold back: the answer itself waits until it is known to be right
      auto done = co_await fill->done();
      if (!done && joined->own) co_return done.error();
      if (!done) continue;
    }
    co_return std::make_unique<HeldBody>(std::make_unique<FillBody>(fill, *size), std::move(hold));
  }
  // What others were told is not for this one: its own upstream is asked.
  co_return co_await relay(repository, digest);
}

/// There is no room for it, or a fill that it must not be read from: it is passed on unstored.
Task<Result<std::unique_ptr<http::Body>>> NodeBlobs::relay(const RepositoryName& repository, const Digest& digest) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  relayed_.add();
  Upstream upstream = remote->upstream();
  co_return co_await Relay::open(upstream, storage_.blobs().pool(), remote->repository(), digest);
}

}  // namespace wherry::node
