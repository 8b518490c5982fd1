// The upload half of PushService: sessions, chunks, mounts, and blobs coming to be.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/unique_fd.h"
#include "common/http/range.h"
#include "common/http/uri.h"
#include "common/oci/error_body.h"
#include "common/registry/tables.h"
#include "master/registry/changes.h"
#include "master/registry/push_service.h"

namespace wherry::master {
namespace {

using registry::Route;
namespace tables = registry::tables;

constexpr std::size_t kWholeNameBytes = 16;

std::string upload_path(const RepositoryName& repository, const std::string& id) {
  return fmt::format("/v2/{}/blobs/uploads/{}", repository.text(), id);
}

/// "0-N", with N the last byte there is; "0-0" also stands for none, as clients expect it.
std::string range_text(std::uint64_t size) { return fmt::format("0-{}", size == 0 ? 0 : size - 1); }

http::Response session_response(int status, const RepositoryName& repository, const UploadSession& session) {
  auto response = registry::v2_response(status);
  response.header("Location", upload_path(repository, session.id()));
  response.header("Docker-Upload-UUID", session.id());
  response.header("Range", range_text(session.size()));
  return response;
}

http::Response blob_created(const RepositoryName& repository, const Digest& digest) {
  auto response = registry::v2_response(201);
  response.header("Location", fmt::format("/v2/{}/blobs/{}", repository.text(), digest.to_string()));
  response.header("Docker-Content-Digest", digest.to_string());
  return response;
}

/// The digest that a query names. Errors: kDigestInvalid, also when there is none.
Result<Digest> digest_of(std::string_view query) {
  const auto text = http::query_value(query, "digest");
  if (!text)
    return Error(ErrorKind::kDigestInvalid, "the digest of the whole blob is missing: add digest= to the query");
  return Digest::parse(*text);
}

}  // namespace

Task<Result<void>> PushService::begin_upload(http::Exchange& exchange, const Route& route,
                                             const auth::Visitor& visitor) {
  const RepositoryName& repository = *route.repository;
  const std::string_view query = exchange.request().query;
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;
  if (const auto name = http::query_value(query, "digest-algorithm")) {
    auto asked = parse_algorithm(*name);
    if (!asked) co_return asked.error();
    algorithm = *asked;
  }
  if (const auto digest_text = http::query_value(query, "mount")) {
    auto digest = Digest::parse(*digest_text);
    if (!digest) co_return digest.error();
    bool mounted = false;
    const std::string from = http::query_value(query, "from").value_or("");
    auto outcome = co_await mount(exchange, route, visitor, *digest, from, mounted);
    if (!outcome || mounted) co_return outcome;
    algorithm = digest->algorithm();
  } else if (http::query_value(query, "digest")) {
    auto whole = digest_of(query);
    if (!whole) co_return whole.error();
    co_return co_await take_whole(exchange, route, visitor, *whole);
  }
  auto admitted = storage_.space().admit(exchange.request().content_length.value_or(0));
  if (!admitted) co_return admitted;
  auto session = co_await sessions_.begin(repository, algorithm, visitor.who().id);
  if (!session) co_return session.error();
  co_return co_await exchange.send(session_response(202, repository, *session));
}

/// A blob in one POST. Nobody is told of a session, so there is none: what a crash leaves in tmp/, the next start
/// removes.
Task<Result<void>> PushService::take_whole(http::Exchange& exchange, const Route& route, const auth::Visitor& visitor,
                                           const Digest& digest) {
  auto writer = co_await storage_.blobs().create("whole-" + random_hex(kWholeNameBytes), digest.algorithm());
  if (!writer) co_return writer.error();
  auto taken = co_await receive(exchange, *writer);
  if (taken) taken = still_may(route, visitor, auth::Permission::kPush);
  if (taken) taken = co_await record(*writer, route, digest, {});
  if (!taken) {
    co_await drop(*writer);
    co_return taken;
  }
  failpoint("before-answer");
  co_return co_await exchange.send(blob_created(*route.repository, digest));
}

Task<Result<void>> PushService::mount(http::Exchange& exchange, const Route& route, const auth::Visitor& visitor,
                                      const Digest& digest, const std::string& from, bool& mounted) {
  // Whatever stands in the way (no such repository, no such blob there, a name outside the grammar) is no error: the
  // client uploads then (distribution-spec, "Mounting a blob from another repository").
  auto source = RepositoryName::parse(from);
  if (!source) co_return Result<void>();
  if (visitor.may(auth::Permission::kPull, source->text()) != auth::Visitor::May::kYes) co_return Result<void>();
  auto row = co_await names_.member(*source, digest);
  if (!row) co_return Result<void>();
  const RepositoryName& repository = *route.repository;
  const WallTime now = sessions_.clock().wall();
  auto recorded = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<bool> {
    return mount_blob(transaction, *source, repository, digest, now);
  });
  if (!recorded) co_return recorded.error();
  if (!*recorded) co_return Result<void>();
  mounted = true;
  failpoint("before-answer");
  co_return co_await exchange.send(blob_created(repository, digest));
}

Task<Result<store::BlobWriter>> PushService::writer_of(const UploadSession& session, DigestAlgorithm algorithm) {
  if (session.state()) co_return co_await storage_.blobs().resume(session.file(), *session.state());
  co_return co_await storage_.blobs().create(session.file(), algorithm);
}

/// Takes the body in, a buffer being written while the next one is received. After an error the writer holds what came
/// before it.
Task<Result<void>> PushService::receive(http::Exchange& exchange, store::BlobWriter& writer) {
  auto admitted = storage_.space().admit(exchange.request().content_length.value_or(0));
  if (!admitted) co_return admitted;
  const bool counted = exchange.request().content_length.has_value();
  while (true) {
    Buffer buffer = Buffer::take();
    bool ended = false;
    Result<void> received;
    while (!buffer.full() && !ended && received) {
      const auto room = buffer.space();
      auto got = co_await exchange.read_body({reinterpret_cast<char*>(room.data()), room.size()});
      if (!got)
        received = got.error();
      else if (*got == 0)
        ended = true;
      else
        buffer.fill(*got);
    }
    if (!buffer.empty()) {
      if (!counted) {
        admitted = storage_.space().admit(buffer.size());
        if (!admitted) co_return admitted;
      }
      auto appended = co_await writer.append(std::move(buffer));
      if (!appended) co_return appended;
    }
    if (!received) co_return received;
    if (ended) co_return co_await writer.flush();
  }
}

Task<Result<void>> PushService::append_upload(http::Exchange& exchange, const Route& route,
                                              const auth::Visitor& visitor) {
  auto held = co_await sessions_.hold(route.last);
  if (!held) co_return held.error();
  auto session = co_await sessions_.find(*route.repository, route.last, visitor.who().id);
  if (!session) co_return session.error();
  const http::Request& request = exchange.request();
  std::optional<http::ByteRange> chunk;
  if (request.has_header("content-range")) {
    auto range = http::parse_chunk_range(request.header("content-range"));
    if (!range) co_return range.error();
    chunk = *range;
    if (chunk->first != session->size()) {
      auto refused = session_response(416, *route.repository, *session);
      const Error why(ErrorKind::kRangeInvalid, "the chunk starts at {} but the upload is at {}", chunk->first,
                      session->size());
      refused.body("application/json", error_body(why, Traffic::kPush));
      held->end();
      co_return co_await exchange.send(std::move(refused));
    }
    if (request.content_length && *request.content_length != chunk->count)
      co_return Error(ErrorKind::kSizeInvalid, "Content-Range says {} bytes and Content-Length {}", chunk->count,
                      *request.content_length);
  }
  auto writer = co_await writer_of(*session, session->algorithm());
  if (!writer) co_return writer.error();
  auto received = co_await receive(exchange, *writer);
  if (received && chunk && writer->size() != chunk->first + chunk->count)
    co_return Error(ErrorKind::kSizeInvalid, "the chunk is not as long as its Content-Range says");
  // A connection that broke leaves what came through it: the client asks how far it is and goes on from there. Not so
  // for a chunk of stated range, which counts as a whole.
  if (!received && received.error().kind() == ErrorKind::kNoSpace) co_await give_back(*session, *writer);
  if (!received && (chunk || received.error().kind() == ErrorKind::kNoSpace)) co_return received;
  auto synced = co_await writer->sync();
  if (!synced) co_return synced;
  session->advance(writer->state(), sessions_.clock().wall());
  auto saved = co_await sessions_.save(*session);
  if (!saved) co_return saved;
  if (!received) co_return received;
  failpoint("before-answer");
  held->end();
  co_return co_await exchange.send(session_response(202, *route.repository, *session));
}

Task<Result<void>> PushService::finish_upload(http::Exchange& exchange, const Route& route,
                                              const auth::Visitor& visitor) {
  auto digest = digest_of(exchange.request().query);
  if (!digest) co_return digest.error();
  auto held = co_await sessions_.hold(route.last);
  if (!held) co_return held.error();
  auto session = co_await sessions_.find(*route.repository, route.last, visitor.who().id);
  if (!session) co_return session.error();
  const http::Request& request = exchange.request();
  if (request.has_header("content-range")) {
    auto range = http::parse_chunk_range(request.header("content-range"));
    if (!range) co_return range.error();
    if (range->first != session->size()) {
      auto refused = session_response(416, *route.repository, *session);
      const Error why(ErrorKind::kRangeInvalid, "the last chunk starts at {} but the upload is at {}", range->first,
                      session->size());
      refused.body("application/json", error_body(why, Traffic::kPush));
      held->end();
      co_return co_await exchange.send(std::move(refused));
    }
  }
  // Who begins an upload need not say by which algorithm it will be named: then what is there is hashed once more.
  const bool other_algorithm = session->state() && session->algorithm() != digest->algorithm();
  Result<store::BlobWriter> writer = Error(ErrorKind::kInternal, "no writer");
  if (other_algorithm)
    writer = co_await rehash(*session, digest->algorithm());
  else
    writer = co_await writer_of(*session, digest->algorithm());
  if (!writer) co_return writer.error();
  auto received = co_await receive(exchange, *writer);
  if (!received && received.error().kind() == ErrorKind::kNoSpace) co_await give_back(*session, *writer);
  if (!received) co_return received;  // the session stays where it was: the client may send this again
  auto still = still_may(route, visitor, auth::Permission::kPush);
  if (!still) co_return still;
  co_return co_await complete(exchange, route, *writer, *digest, *session, *held);
}

/// Removes the file of a writer that nobody goes on with.
Task<void> PushService::drop(store::BlobWriter& writer) {
  auto dropped = co_await writer.discard();
  if (!dropped) log::warn("bytes of a refused body stay in tmp/", {{"error", dropped.error().to_string()}});
}

/// After a body that was refused: what the writer put on the disk beyond the session's acknowledged bytes goes, for the
/// space is wanted by others.
Task<void> PushService::give_back(const UploadSession& session, store::BlobWriter& writer) {
  if (!session.state() || writer.name() != session.file()) co_return co_await drop(writer);
  [[maybe_unused]] auto told = co_await writer.flush();  // the buffer in work may still grow the file; its error is out
  auto cut = co_await storage_.blobs().resume(session.file(), *session.state());
  if (!cut) log::warn("bytes of a refused body stay in tmp/", {{"error", cut.error().to_string()}});
}

/// A writer of another algorithm over a copy of what the session has.
Task<Result<store::BlobWriter>> PushService::rehash(const UploadSession& session, DigestAlgorithm algorithm) {
  const std::string path = storage_.blobs().layout().temporary(session.file());
  UniqueFd file;
  auto opened = co_await storage_.blobs().pool().run([&]() -> Result<void> {
    file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return system_error(errno, "open an upload's file");
    return {};
  });
  if (!opened) co_return opened.error();
  auto writer = co_await storage_.blobs().create(session.file() + ".rehash", algorithm);
  if (!writer) co_return writer.error();
  while (writer->size() < session.size()) {
    Buffer buffer = Buffer::take();
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(Buffer::kBytes, session.size() - writer->size()));
    const auto offset = static_cast<off_t>(writer->size());
    auto read = co_await storage_.blobs().pool().run([&]() -> Result<void> {
      const ssize_t got = ::pread(file.get(), buffer.space().data(), wanted, offset);
      if (got < 0) return system_error(errno, "read an upload's file");
      if (got == 0) return Error(ErrorKind::kCorrupt, "an upload's file is shorter than its row says");
      buffer.fill(static_cast<std::size_t>(got));
      return {};
    });
    if (!read) co_return read.error();
    auto appended = co_await writer->append(std::move(buffer));
    if (!appended) co_return appended.error();
  }
  co_return std::move(*writer);
}

/// Makes what the writer has the blob, on the disk and in the names, and ends the session if there is one.
Task<Result<void>> PushService::record(store::BlobWriter& writer, const Route& route, const Digest& digest,
                                       std::string_view session_id) {
  auto row = co_await writer.commit(digest);
  if (!row) co_return row.error();
  const RepositoryName& repository = *route.repository;
  const WallTime now = sessions_.clock().wall();
  auto recorded = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    return record_blob(transaction, repository, digest, *row, session_id, now);
  });
  co_return recorded;
}

Task<Result<void>> PushService::complete(http::Exchange& exchange, const Route& route, store::BlobWriter& writer,
                                         const Digest& digest, const UploadSession& session,
                                         UploadSessions::Hold& held) {
  auto recorded = co_await record(writer, route, digest, session.id());
  if (!recorded) {
    if (writer.name() != session.file()) co_await drop(writer);  // a copy: the session has its own bytes
    co_return recorded;
  }
  if (session.state() && session.algorithm() != digest.algorithm()) {  // its file was copied, not taken
    auto discarded = co_await storage_.blobs().discard(session.file());
    if (!discarded) co_return discarded;
  }
  failpoint("before-answer");
  held.end();
  co_return co_await exchange.send(blob_created(*route.repository, digest));
}

Task<Result<void>> PushService::upload_status(http::Exchange& exchange, const Route& route,
                                              const auth::Visitor& visitor) {
  auto session = co_await sessions_.find(*route.repository, route.last, visitor.who().id);
  if (!session) co_return session.error();
  co_return co_await exchange.send(session_response(204, *route.repository, *session));
}

Task<Result<void>> PushService::cancel_upload(http::Exchange& exchange, const Route& route,
                                              const auth::Visitor& visitor) {
  auto held = co_await sessions_.hold(route.last);
  if (!held) co_return held.error();
  auto session = co_await sessions_.find(*route.repository, route.last, visitor.who().id);
  if (!session) co_return session.error();
  auto cancelled = co_await sessions_.cancel(*session);
  if (!cancelled) co_return cancelled;
  held->end();
  co_return co_await exchange.send(registry::v2_response(204));
}

Task<Result<void>> PushService::delete_blob(http::Exchange& exchange, const Route& route) {
  auto digest = Digest::parse(route.last);
  if (!digest) co_return digest.error();
  const RepositoryName& repository = *route.repository;
  auto erased = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    auto there = transaction.exists(tables::member_key(repository, *digest));
    if (!there) return there.error();
    if (!*there) return registry::blob_unknown(repository, *digest);
    registry::erase_membership(transaction, repository, *digest);
    return {};
  });
  if (!erased) co_return erased;
  failpoint("before-answer");
  co_return co_await exchange.send(registry::v2_response(202));
}

}  // namespace wherry::master
