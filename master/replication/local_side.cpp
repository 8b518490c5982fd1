#include "master/replication/local_side.h"

#include <unistd.h>

#include <cerrno>

#include "common/base/log.h"
#include "common/feed/log.h"
#include "common/registry/tables.h"
#include "master/registry/changes.h"
#include "master/replication/remote_side.h"

namespace wherry::replication {
namespace {

namespace tables = registry::tables;

constexpr std::size_t kMaxHolders = 8;  // of a blob, that are looked at

/// A body of a transaction that tells into `entries` how many entries it appended to the feed.
template <class Body>
auto counted(Body& body, std::uint64_t& entries) {
  return [&body, &entries](kv::Transaction& transaction) -> decltype(body(transaction)) {
    const auto before = feed::head(transaction);
    if (!before) return before.error();
    auto done = body(transaction);
    const auto after = feed::head(transaction);
    if (!after) return after.error();
    entries = after->position - before->position;
    return done;
  };
}

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

Task<Result<std::vector<Digest>>> LocalSide::loose_manifests(const RepositoryName& repository) {
  std::vector<Digest> loose;
  const std::string prefix = tables::manifests_prefix(repository);
  std::string after;
  while (true) {
    auto page = co_await storage_.names().scan(kv::ScanRequest(prefix, after));
    if (!page) co_return page.error();
    for (const auto& [key, value] : page->entries) {
      std::string_view rest = std::string_view(key).substr(prefix.size());
      auto digest = tables::take_digest(rest);
      if (!digest) co_return digest.error();
      auto tagged = co_await storage_.names().scan(kv::ScanRequest(tables::tagged_prefix(repository, *digest), {}, 1));
      if (!tagged) co_return tagged.error();
      if (!tagged->entries.empty()) continue;
      const std::string parents = tables::reference_key(*digest, repository, *digest);
      const std::string of_child = parents.substr(0, parents.size() - digest->binary().size());
      auto parent = co_await storage_.names().scan(kv::ScanRequest(of_child, {}, 1));
      if (!parent) co_return parent.error();
      if (!parent->entries.empty()) continue;
      loose.push_back(*digest);
    }
    if (!page->more) co_return loose;
    after = page->entries.back().first;
  }
}

Task<Result<bool>> LocalSide::has_blob(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await names_.member(repository, digest);
  if (!row && row.error().kind() == ErrorKind::kBlobUnknown) co_return false;
  if (!row) co_return row.error();
  co_return true;
}

Task<Result<bool>> LocalSide::mount(const RepositoryName& repository, const Digest& digest,
                                    const RepositoryName& from) {
  const WallTime now = sessions_.clock().wall();
  auto body = [&](kv::Transaction& transaction) -> Result<bool> {
    return master::mount_blob(transaction, from, repository, digest, now);
  };
  std::uint64_t entries = 0;
  auto counting = counted(body, entries);
  auto mounted = co_await storage_.names().transact(counting);
  if (mounted) entries_[repository.text()] += entries;
  co_return mounted;
}

/// The session that an attempt before left, or a new one.
Task<Result<master::UploadSession>> LocalSide::session_of(const RepositoryName& repository, const Digest& digest,
                                                          std::string& session) {
  if (!session.empty()) {
    auto found = co_await sessions_.find(repository, session);
    if (found) co_return found;
    if (found.error().kind() != ErrorKind::kUploadUnknown) co_return found;
  }
  auto begun = co_await sessions_.begin(repository, digest.algorithm());
  if (begun) session = begun->id();
  co_return begun;
}

/// Makes what the writer has durable, so that a crash goes on from there.
Task<Result<void>> LocalSide::keep(store::BlobWriter& writer, master::UploadSession& session, const Kept& kept,
                                   std::uint64_t& reported) {
  auto synced = co_await writer.sync();
  if (!synced) co_return synced;
  session.advance(writer.state(), sessions_.clock().wall());
  auto saved = co_await sessions_.save(session);
  if (!saved) co_return saved;
  Task<Result<void>> telling = kept(session.size() - reported);
  auto told = co_await std::move(telling);
  reported = session.size();
  co_return told;
}

Task<Result<void>> LocalSide::take_in(http::RequestBody& blob, store::BlobWriter& writer,
                                      master::UploadSession& session, const Kept& kept) {
  std::uint64_t reported = writer.size();
  Result<void> taken;
  while (taken && writer.size() < blob.size()) {
    auto piece = co_await blob.read(writer.size(), blob.size() - writer.size());
    if (!piece) {
      taken = piece.error();
      break;
    }
    taken = storage_.space().admit(piece->size());
    if (!taken) break;
    taken = co_await writer.append(std::move(*piece));
    if (taken && writer.size() - reported >= kKeepBytes) taken = co_await keep(writer, session, kept, reported);
  }
  if (taken) taken = co_await writer.flush();
  if (!taken) {  // what came is kept: the next attempt asks for the rest alone
    auto put_away = co_await keep(writer, session, kept, reported);
    if (!put_away) log::debug("part of a blob could not be kept", {{"error", put_away.error().to_string()}});
    co_return taken;
  }
  Task<Result<void>> telling = kept(writer.size() - reported);
  co_return co_await std::move(telling);
}

Task<Result<std::uint64_t>> LocalSide::put_blob(const RepositoryName& repository, const Digest& digest,
                                                http::RequestBody& blob, std::string& session,
                                                std::optional<RepositoryName> mount_from, Kept kept) {
  if (mount_from) {
    auto mounted = co_await mount(repository, digest, *mount_from);
    if (!mounted) co_return mounted.error();
    if (*mounted) co_return std::uint64_t{0};
  }
  auto upload = co_await session_of(repository, digest, session);
  if (!upload) co_return upload.error();
  auto admitted = storage_.space().admit(blob.size() - std::min(blob.size(), upload->size()));
  if (!admitted) co_return admitted.error();
  auto held = co_await sessions_.hold(upload->id());
  if (!held) co_return held.error();
  Result<store::BlobWriter> writer = Error(ErrorKind::kInternal, "no writer");
  if (upload->state() && upload->size() <= blob.size())
    writer = co_await storage_.blobs().resume(upload->file(), *upload->state());
  else
    writer = co_await storage_.blobs().create(upload->file(), digest.algorithm());
  if (!writer) {
    session.clear();
    co_return writer.error();
  }
  const std::uint64_t first = writer->size();
  auto taken = co_await take_in(blob, *writer, *upload, kept);
  if (!taken) co_return taken.error();
  auto row = co_await writer->commit(digest);
  if (!row) {
    if (row.error().kind() == ErrorKind::kDigestInvalid) {
      session.clear();
      auto cancelled = co_await sessions_.cancel(*upload);
      if (!cancelled) co_return cancelled.error();
      co_return Error(ErrorKind::kUpstream, "the source sent other bytes: {}", row.error().message());
    }
    co_return row.error();
  }
  const WallTime now = sessions_.clock().wall();
  auto body = [&](kv::Transaction& transaction) -> Result<void> {
    return master::record_blob(transaction, repository, digest, *row, upload->id(), now);
  };
  std::uint64_t entries = 0;
  auto counting = counted(body, entries);
  auto recorded = co_await storage_.names().transact(counting);
  if (!recorded) co_return recorded.error();
  entries_[repository.text()] += entries;
  session.clear();
  co_return blob.size() - first;
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
  auto counting = counted(body, entries);
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
  auto counting = counted(body, entries);
  auto removed = co_await storage_.names().transact(counting);
  if (removed) entries_[repository.text()] += entries;
  if (!removed && removed.error().kind() == ErrorKind::kManifestUnknown) co_return Result<void>();
  co_return removed;
}

Task<Result<bool>> LocalSide::lists_referrers(const RepositoryName&) { co_return true; }

}  // namespace wherry::replication
