#include "master/replication/remote_side.h"

#include <nlohmann/json.hpp>

#include "common/oci/media_types.h"
#include "common/oci/referrers_index.h"
#include "master/replication/all_manifests.h"

namespace wherry::replication {
namespace {

/// A blob of another registry, read from where it is wanted: one stream as long as the reads follow each other.
class RemoteBody final : public http::RequestBody {
 public:
  RemoteBody(Upstream upstream, RepositoryName repository, Digest digest, std::uint64_t size)
      : upstream_(upstream), repository_(std::move(repository)), digest_(digest), size_(size) {}

  std::uint64_t size() const override { return size_; }

  Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) override {
    if (!source_ || at_ != offset) {
      auto opened = co_await open(offset);
      if (!opened) co_return opened.error();
    }
    while (true) {
      if (taken_ == piece_.size()) {
        auto next = co_await source_->next();
        if (!next) co_return next.error();
        if (next->empty())
          co_return Error(ErrorKind::kUpstream, "{} ended the blob {} after {} of {} bytes", source_->url(),
                          digest_.to_string(), at_, size_);
        piece_ = std::move(*next);
        taken_ = 0;
      }
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(offset - at_, piece_.size() - taken_));
      taken_ += skipped;
      at_ += skipped;
      if (at_ == offset && taken_ < piece_.size()) break;
    }
    if (taken_ == 0 && piece_.size() <= want) {
      at_ += piece_.size();
      co_return std::move(piece_);
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(want, piece_.size() - taken_));
    Buffer part = Buffer::take();
    part.append(piece_.bytes().subspan(taken_, count));
    taken_ += count;
    at_ += count;
    co_return std::move(part);
  }

 private:
  Task<Result<void>> open(std::uint64_t offset) {
    source_.reset();
    piece_ = Buffer();
    taken_ = 0;
    auto turn = co_await upstream_.turn(repository_, Budget::Use::kFill);
    if (!turn) co_return turn.error();
    auto source = co_await upstream_.blob(std::move(*turn), repository_, digest_, offset);
    if (!source) co_return source.error();
    if (source->size() && *source->size() != size_)
      co_return Error(ErrorKind::kUpstream, "{} has {} bytes for the blob {} of {}", source->url(), *source->size(),
                      digest_.to_string(), size_);
    at_ = source->offset();
    source_.emplace(std::move(*source));
    co_return Result<void>();
  }

  Upstream upstream_;
  RepositoryName repository_;
  Digest digest_;
  std::uint64_t size_;
  std::optional<BlobSource> source_;
  Buffer piece_;
  std::size_t taken_ = 0;  // of the piece
  std::uint64_t at_ = 0;   // where in the blob the next byte is
};

}  // namespace

std::vector<Digest> digests_of(const std::vector<std::string>& descriptors) {
  std::vector<Digest> digests;
  for (const std::string& text : descriptors) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("digest") || !json["digest"].is_string()) continue;
    if (auto digest = Digest::parse(json["digest"].get<std::string>())) digests.push_back(*digest);
  }
  return digests;
}

Task<Result<NamePage>> RemoteSide::repositories(std::string last) {
  return upstream_.repositories(std::move(last), registry::kMaxPage);
}

Task<Result<NamePage>> RemoteSide::tags(const RepositoryName& repository, std::string last) {
  return upstream_.tags(repository, std::move(last), registry::kMaxPage);
}

Task<Result<std::optional<Digest>>> RemoteSide::resolve(const RepositoryName& repository, const Reference& reference) {
  if (direction_ == Direction::kPush) co_return co_await push_.resolve(repository, reference);
  auto head = co_await upstream_.head_manifest(repository, reference);
  if (head && head->digest()) co_return head->digest();
  Result<StoredManifest> manifest = Error(ErrorKind::kInternal, "not asked");
  if (head)
    manifest = co_await upstream_.manifest(repository, reference);
  else
    manifest = head.error();
  if (!manifest && manifest.error().kind() == ErrorKind::kManifestUnknown) co_return std::optional<Digest>();
  if (!manifest) co_return manifest.error();
  co_return std::optional<Digest>(manifest->digest());
}

Task<Result<StoredManifest>> RemoteSide::manifest(const RepositoryName& repository, const Reference& reference) {
  return upstream_.manifest(repository, reference);
}

Task<Result<std::vector<Digest>>> RemoteSide::referrers(const RepositoryName& repository, const Digest& digest) {
  std::vector<Digest> all;
  std::string last;
  do {
    auto page = co_await upstream_.referrers(repository, digest, {}, last, registry::kMaxPage);
    if (!page && page.error().kind() == ErrorKind::kNotFound) {
      auto tag = Tag::parse(fallback_tag(digest));
      if (!tag) co_return tag.error();
      const Reference fallback(std::move(*tag));
      auto index = co_await upstream_.manifest(repository, fallback);
      if (!index && index.error().kind() == ErrorKind::kManifestUnknown) co_return all;
      if (!index) co_return index.error();
      const auto listed = parse_fallback_index(index->bytes());
      if (listed)
        for (const Descriptor& descriptor : *listed) all.push_back(descriptor.digest);
      co_return all;
    }
    if (!page) co_return page.error();
    for (const Digest& each : digests_of(page->descriptors())) all.push_back(each);
    last = page->last();
  } while (!last.empty() && all.size() < kMaxReferrers);
  co_return all;
}

Task<Result<std::shared_ptr<http::RequestBody>>> RemoteSide::open(const RepositoryName& repository,
                                                                  const Descriptor& blob) {
  auto size = co_await upstream_.blob_size(repository, blob.digest);
  if (!size) co_return size.error();
  std::shared_ptr<http::RequestBody> body = std::make_shared<RemoteBody>(upstream_, repository, blob.digest, *size);
  co_return body;
}

Task<Result<std::vector<std::string>>> RemoteSide::holders(const Digest&) { co_return std::vector<std::string>(); }

Task<Result<std::optional<std::set<Digest>>>> RemoteSide::manifests(const RepositoryName& repository, Which which) {
  using Manifests = std::optional<std::set<Digest>>;
  if (!lists_manifests_) co_return Manifests();
  auto listed = co_await all_manifests(upstream_, repository, which);
  lists_manifests_ = listed || listed.error().kind() != ErrorKind::kNotFound;
  if (!lists_manifests_) co_return Manifests();
  co_return listed;
}

Task<Result<bool>> RemoteSide::is_untagged(const RepositoryName& repository, const Digest& digest) {
  if (!lists_manifests_) co_return false;
  auto listed = co_await is_listed_as_untagged(upstream_, repository, digest);
  lists_manifests_ = listed || listed.error().kind() != ErrorKind::kNotFound;
  if (!lists_manifests_) co_return false;
  co_return listed;
}

Task<Result<bool>> RemoteSide::has_blob(const RepositoryName& repository, const Digest& digest) {
  return push_.has_blob(repository, digest);
}

Task<Result<std::uint64_t>> RemoteSide::put_blob(const RepositoryName& repository, const Digest& digest,
                                                 http::RequestBody& blob, std::string& session,
                                                 std::optional<RepositoryName> mount_from, Kept kept) {
  return send_blob(push_, repository, digest, blob, session, std::move(mount_from), std::move(kept));
}

Task<Result<bool>> RemoteSide::put_manifest(const RepositoryName& repository, const Reference& reference,
                                            const Digest& digest, std::string_view media_type, std::string_view bytes) {
  auto put = co_await push_.put_manifest(repository, reference, digest, media_type, bytes);
  if (put && *put) lists_referrers_ = true;
  co_return put;
}

Task<Result<void>> RemoteSide::remove(const RepositoryName& repository, const Reference& reference) {
  return push_.remove(repository, reference);
}

Task<Result<bool>> RemoteSide::lists_referrers(const RepositoryName& repository) {
  if (lists_referrers_) co_return true;
  const Digest nothing = Digest::of(DigestAlgorithm::kSha256, std::string_view());
  auto page = co_await upstream_.referrers(repository, nothing, {}, {}, 1);
  if (!page && page.error().kind() != ErrorKind::kNotFound) co_return page.error();
  // "Not found" may also be said of the repository: that is asked again.
  lists_referrers_ = page.has_value();
  co_return lists_referrers_;
}

}  // namespace wherry::replication
