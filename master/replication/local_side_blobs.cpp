// How a blob that is replicated to this master is taken in.
#include <algorithm>

#include "common/base/log.h"
#include "master/registry/changes.h"
#include "master/replication/counting_entries.h"
#include "master/replication/local_side.h"

namespace wherry::replication {
namespace {

const std::string kOwner = "replication";  // of its upload sessions: no id of anybody else is like this

}  // namespace

Task<Result<bool>> LocalSide::mount(const RepositoryName& repository, const Digest& digest,
                                    const RepositoryName& from) {
  const WallTime now = sessions_.clock().wall();
  auto body = [&](kv::Transaction& transaction) -> Result<bool> {
    return master::mount_blob(transaction, from, repository, digest, now);
  };
  std::uint64_t entries = 0;
  auto counting = counting_entries(body, entries);
  auto mounted = co_await storage_.names().transact(counting);
  if (mounted) entries_[repository.text()] += entries;
  co_return mounted;
}

/// The session that an attempt before left, or a new one.
Task<Result<master::UploadSession>> LocalSide::session_of(const RepositoryName& repository, const Digest& digest,
                                                          std::string& session) {
  if (!session.empty()) {
    auto found = co_await sessions_.find(repository, session, kOwner);
    if (found) co_return found;
    if (found.error().kind() != ErrorKind::kUploadUnknown) co_return found;
  }
  auto begun = co_await sessions_.begin(repository, digest.algorithm(), kOwner);
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
  auto counting = counting_entries(body, entries);
  auto recorded = co_await storage_.names().transact(counting);
  if (!recorded) co_return recorded.error();
  entries_[repository.text()] += entries;
  session.clear();
  co_return blob.size() - first;
}

}  // namespace wherry::replication
