#include "master/replication/local_side.h"

#include <unistd.h>

#include <cerrno>

#include "master/registry/changes.h"
#include "master/replication/all_manifests.h"
#include "master/replication/counting_entries.h"
#include "master/replication/remote_side.h"

namespace wherry::replication {
namespace {

constexpr std::size_t kMaxHolders = 8;  // of a blob, that are looked at

/// A blob at rest, each block checked before it leaves.
class LocalBody final : public http::RequestBody {
 public:
  LocalBody(std::unique_ptr<http::Body> body, Pool& pool) : body_(std::move(body)), pool_(pool) {}

  std::uint64_t size() const override { return body_->size(); }

  Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) override {
    const std::uint64_t most = std::min<std::uint64_t>({want, Buffer::kBytes, size() - offset});
    auto granted = body_->try_ready(offset, most, size());
    if (!granted) {
      auto waited = co_await body_->ready(offset, most, size());
      granted.emplace(std::move(waited));
    }
    if (!*granted) co_return granted->error();
    const auto count = static_cast<std::size_t>(std::min(most, **granted));
    Buffer buffer = Buffer::take();
    const auto fetch = [this, &buffer, offset, count]() -> Result<void> {
      const ssize_t got = ::pread(body_->file(), buffer.space().data(), count, static_cast<off_t>(offset));
      if (got < 0) return system_error(errno, "read a blob");
      if (got == 0) return Error(ErrorKind::kCorrupt, "a blob's file is shorter than it was");
      buffer.fill(static_cast<std::size_t>(got));
      return {};
    };
    auto fetched = co_await pool_.run(fetch);
    if (!fetched) {
      if (fetched.error().kind() == ErrorKind::kIo) co_await body_->could_not_be_sent();
      co_return fetched.error();
    }
    co_return std::move(buffer);
  }

 private:
  std::unique_ptr<http::Body> body_;
  Pool& pool_;
};

}  // namespace

Task<Result<NamePage>> LocalSide::repositories(std::string last) {
  return names_.repositories(std::move(last), registry::kMaxPage);
}

Task<Result<NamePage>> LocalSide::tags(const RepositoryName& repository, std::string last) {
  return names_.tags(repository, std::move(last), registry::kMaxPage);
}

Task<Result<std::optional<Digest>>> LocalSide::resolve(const RepositoryName& repository, const Reference& reference) {
  Result<Digest> found = Error(ErrorKind::kInternal, "not looked up");
  if (reference.tag() != nullptr) {
    found = co_await names_.resolve(repository, *reference.tag());
  } else {
    auto manifest = co_await names_.by_digest(repository, *reference.digest());
    if (manifest)
      found = manifest->digest();
    else
      found = manifest.error();
  }
  if (!found && found.error().kind() == ErrorKind::kManifestUnknown) co_return std::optional<Digest>();
  if (!found) co_return found.error();
  co_return std::optional<Digest>(*found);
}

Task<Result<StoredManifest>> LocalSide::manifest(const RepositoryName& repository, const Reference& reference) {
  return names_.manifest(repository, reference);
}

Task<Result<std::vector<Digest>>> LocalSide::referrers(const RepositoryName& repository, const Digest& digest) {
  std::vector<Digest> all;
  std::string last;
  do {
    auto page = co_await names_.referrers(repository, digest, {}, last, registry::kMaxPage);
    if (!page) co_return page.error();
    for (const Digest& each : digests_of(page->descriptors())) all.push_back(each);
    last = page->last();
  } while (!last.empty() && all.size() < kMaxReferrers);
  co_return all;
}

Task<Result<std::shared_ptr<http::RequestBody>>> LocalSide::open(const RepositoryName& repository,
                                                                 const Descriptor& blob) {
  auto body = co_await blobs_.open(repository, blob.digest);
  if (!body) co_return body.error();
  std::shared_ptr<http::RequestBody> reader = std::make_shared<LocalBody>(std::move(*body), storage_.blobs().pool());
  co_return reader;
}

Task<Result<std::vector<std::string>>> LocalSide::holders(const Digest& digest) {
  return names_.holders(digest, kMaxHolders);
}

Task<Result<std::optional<std::set<Digest>>>> LocalSide::manifests(const RepositoryName& repository, Which which) {
  co_return co_await all_manifests(names_, repository, which);
}

Task<Result<bool>> LocalSide::is_untagged(const RepositoryName& repository, const Digest& digest) {
  co_return co_await is_listed_as_untagged(names_, repository, digest);
}

Task<Result<bool>> LocalSide::has_blob(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await names_.member(repository, digest);
  if (!row && row.error().kind() == ErrorKind::kBlobUnknown) co_return false;
  if (!row) co_return row.error();
  co_return true;
}

Task<Result<bool>> LocalSide::put_manifest(const RepositoryName& repository, const Reference& reference,
                                           const Digest& digest, std::string_view media_type, std::string_view bytes) {
  auto admitted = storage_.space().admit(bytes.size());
  if (!admitted) co_return admitted.error();
  auto manifest = Manifest::parse(bytes, media_type);
  if (!manifest) co_return manifest.error();
  if (Digest::of(digest.algorithm(), bytes) != digest)
    co_return Error(ErrorKind::kDigestInvalid, "the manifest is not the one of {}", digest.to_string());
  std::vector<std::string> tags;
  if (reference.tag() != nullptr) tags.push_back(reference.tag()->text());
  const WallTime now = sessions_.clock().wall();
  auto body = [&](kv::Transaction& transaction) -> Result<void> {
    return master::store_manifest(transaction, repository, digest, *manifest, bytes, tags, now);
  };
  std::uint64_t entries = 0;
  auto counting = counting_entries(body, entries);
  auto stored = co_await storage_.names().transact(counting);
  if (!stored) co_return stored.error();
  entries_[repository.text()] += entries;
  co_return true;
}

Task<Result<void>> LocalSide::remove(const RepositoryName& repository, const Reference& reference) {
  const WallTime now = sessions_.clock().wall();
  auto body = [&](kv::Transaction& transaction) -> Result<void> {
    return master::remove_reference(transaction, repository, reference, now);
  };
  std::uint64_t entries = 0;
  auto counting = counting_entries(body, entries);
  auto removed = co_await storage_.names().transact(counting);
  if (removed) entries_[repository.text()] += entries;
  if (!removed && removed.error().kind() == ErrorKind::kManifestUnknown) co_return Result<void>();
  co_return removed;
}

Task<Result<bool>> LocalSide::lists_referrers(const RepositoryName&) { co_return true; }

}  // namespace wherry::replication
