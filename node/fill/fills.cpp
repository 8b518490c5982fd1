#include "node/fill/fills.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"

namespace wherry::node {
namespace {

namespace tables = registry::tables;

constexpr int kAttemptsWithoutProgress = 4;
/// A try that brought less and broke counts as none: a source must not keep a fill alive byte by byte.
constexpr std::uint64_t kLeastProgressBytes = std::uint64_t{16} << 10;
constexpr std::chrono::milliseconds kFirstBackOff{200};

/// Waits between tries, doubling, each anywhere in its upper half: after an outage not everybody comes at once.
std::chrono::milliseconds back_off(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto whole = kFirstBackOff * (1 << std::min(attempt, 5));
  std::uniform_int_distribution<std::int64_t> jitter(whole.count() / 2, whole.count());
  return std::chrono::milliseconds(jitter(random));
}

/// Errors of a source that another try may cure.
bool worth_another_try(const Error& error) { return is_down(error); }

}  // namespace

/// A fill and what its writing needs.
struct Fills::Running {
  Running(RepositoryName repo, const Digest& digest)
      : repository(std::move(repo)), fill(std::make_shared<store::Fill>(digest)) {}
  RepositoryName repository;
  std::shared_ptr<store::Fill> fill;
  RequestContext context;  ///< with the trace of the request that started it
  Monotonic started = Clock::system().monotonic();
  bool first_byte_seen = false;
  std::optional<CacheSpace::Room> room;
  std::optional<std::uint64_t> size;
  Event prepared;  ///< the three below are there, or failure says why not
  std::optional<store::BlobWriter> writer;
  UniqueFd for_readers;  ///< the writer's file, until the fill has it
  std::optional<Error> failure;
};

/// The fills of one loop.
struct Fills::Part {
  std::unordered_map<Digest, std::shared_ptr<Running>> running;
  Scope scope;
  bool stopping = false;
};

Fills::Fills(registry::Storage& storage, CacheSpace& space, const Upstreams& upstreams, std::vector<Loop*> loops,
             Metrics& metrics)
    : storage_(storage),
      space_(space),
      upstreams_(upstreams),
      loops_(std::move(loops)),
      fetched_bytes_(metrics.counter("wherry_fill_fetched_bytes_total", "Bytes of blobs fetched from upstream")),
      started_(metrics.counter("wherry_fill_started_total", "Blobs that began to be fetched")),
      failed_(metrics.counter("wherry_fill_failed_total", "Blobs that could not be fetched")),
      resumed_(metrics.counter("wherry_fill_resumed_total", "Times a broken fetch went on where it stopped")),
      took_(metrics.histogram("wherry_fill_seconds", "From the first request for a blob to its end in the store")),
      first_byte_(
          metrics.histogram("wherry_fill_first_byte_seconds", "From the first request for a blob to its first byte")) {
  for (std::size_t i = 0; i < loops_.size(); ++i) parts_.push_back(std::make_unique<Part>());
}

Fills::~Fills() = default;

Task<Result<std::shared_ptr<store::Fill>>> Fills::join(const RepositoryName& repository, const Digest& digest) {
  const std::size_t index = digest.hash() % loops_.size();
  Loop& home = Loop::current();
  RequestContext* const request = co_await current_request();
  Source source = Source::kJoined;
  co_await loops_[index]->enter();
  Part& part = *parts_[index];
  Result<std::shared_ptr<store::Fill>> joined = std::shared_ptr<store::Fill>();
  const auto found = part.running.find(digest);
  if (found != part.running.end() && found->second->repository != repository) {
    // Somebody fetches it for another repository: that this one has it too is for the upstream to say.
    auto size = co_await ask_size(repository, digest);
    if (!size) {
      const Error why = size.error();
      co_await home.enter();
      co_return why;
    }
  }
  // Looked up again: the upstream's answer took its time.
  const auto now = part.running.find(digest);
  if (now != part.running.end()) {
    joined = now->second->fill;
  } else if (part.stopping) {
    joined = Error(ErrorKind::kUnavailable, "this node is ending");
  } else {
    auto row = co_await storage_.names().get(tables::blob_key(digest));
    const auto again = part.running.find(digest);
    if (again != part.running.end()) {
      joined = again->second->fill;
    } else if (!row) {
      joined = row.error();
    } else if (!*row) {
      auto running = std::make_shared<Running>(repository, digest);
      part.running.emplace(digest, running);
      started_.add();
      source = Source::kFilled;
      if (request != nullptr) running->context.trace = request->trace;
      joined = running->fill;
      part.scope.spawn(run(part, running));
    }
  }
  co_await home.enter();
  if (request != nullptr && joined && *joined != nullptr) request->source = source;
  co_return joined;
}

Task<Result<std::uint64_t>> Fills::ask_size(const RepositoryName& repository, const Digest& digest) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  co_return co_await upstream.blob_size(remote->repository(), digest);
}

Task<std::shared_ptr<store::Fill>> Fills::find(RepositoryName repository, Digest digest) {
  const std::size_t index = digest.hash() % loops_.size();
  Loop& home = Loop::current();
  co_await loops_[index]->enter();
  std::shared_ptr<store::Fill> fill;
  const auto found = parts_[index]->running.find(digest);
  if (found != parts_[index]->running.end() && found->second->repository == repository) fill = found->second->fill;
  co_await home.enter();
  co_return fill;
}

Task<void> Fills::run(Part& part, std::shared_ptr<Running> running) {
  const Digest digest = running->fill->digest();
  co_await answer_for(running->context);
  const FillBoard::Place shown = board_.show(running->repository, running->fill);
  part.scope.spawn(prepare(*running));
  auto row = co_await fetch(part, *running);
  co_await running->prepared.wait();
  Result<void> stored;
  if (row)
    stored = co_await record(running->repository, digest, *row);
  else
    stored = row.error();
  if (!stored) {
    failed_.add();
    const auto kind = stored.error().kind();
    if (kind != ErrorKind::kBlobUnknown && kind != ErrorKind::kNoSpace)
      log::warn("a blob could not be fetched", {{"digest", digest.to_string()},
                                                {"repository", running->repository.text()},
                                                {"error", stored.error().to_string()}});
    if (running->writer) {
      auto discarded = co_await running->writer->discard();
      if (!discarded) log::warn("a file in tmp/ stays", {{"error", discarded.error().to_string()}});
    }
    if (row) {  // it has its name already, but no row: nobody would ever count it
      auto removed = co_await storage_.blobs().remove(digest);
      if (!removed) log::warn("a blob's file stays without a row", {{"error", removed.error().to_string()}});
    }
  } else {
    running->room->kept(row->size());
    took_.observe(Clock::system().monotonic() - running->started);
  }
  running->room.reset();
  part.running.erase(digest);
  // Told last: who hears of it and asks again begins anew, and does not join what has failed.
  if (!stored) running->fill->failed(stored.error());
}

/// Fetches until the whole is there and its digest is right; readers are let through to the end then.
Task<Result<store::BlobRow>> Fills::fetch(Part& part, Running& running) {
  store::Fill& fill = *running.fill;
  auto remote = upstreams_.remote(running.repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  Error last(ErrorKind::kUpstream, "nothing was tried");
  int idle_attempts = 0;
  while (idle_attempts < kAttemptsWithoutProgress && !part.stopping) {
    if (idle_attempts > 0) co_await sleep_for(back_off(idle_attempts));
    if (part.stopping) break;
    const std::uint64_t before = running.writer ? running.writer->size() : 0;
    if (before > 0) resumed_.add();
    auto source = co_await upstream.blob(remote->repository(), fill.digest(), before);
    if (!source) {
      last = source.error();
      // Who is told 429 before the first byte had better hear of it at once.
      if (!worth_another_try(last) || (before == 0 && last.kind() == ErrorKind::kUpstreamLimited)) co_return last;
      ++idle_attempts;
      continue;
    }
    auto drained = co_await drain(running, *source);
    if (drained) {
      // The digest is all that readers wait for; the disk may take its time after that.
      if (running.writer->digest() != fill.digest())
        co_return Error(ErrorKind::kUpstream, "{} sent other bytes than those of {}", upstream.url(),
                        fill.digest().to_string());
      fill.verified();
      co_return co_await running.writer->commit(fill.digest());
    }
    last = drained.error();
    if (!worth_another_try(last)) co_return last;
    const std::uint64_t after = running.writer ? running.writer->size() : 0;
    idle_attempts = after >= before + kLeastProgressBytes ? 1 : idle_attempts + 1;
  }
  if (part.stopping) co_return Error(ErrorKind::kUnavailable, "this node is ending");
  co_return last;
}

/// Makes the file while the source is asked: both take about as long.
Task<void> Fills::prepare(Running& running) {
  const Digest& digest = running.fill->digest();
  auto writer = co_await storage_.blobs().create("fill-" + digest.hex().substr(0, 64), digest.algorithm());
  if (writer) {
    const std::string path = storage_.blobs().layout().temporary(writer->name());
    auto opened = co_await storage_.blobs().pool().run([&]() -> Result<void> {
      running.for_readers.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (!running.for_readers) return system_error(errno, "open a file in tmp/");
      return {};
    });
    if (!opened) running.failure = opened.error();
    running.writer.emplace(std::move(*writer));
    running.writer->when_written([fill = running.fill](std::uint64_t front) { fill->advanced(front); });
  } else {
    running.failure = writer.error();
  }
  running.prepared.set();
}

/// Takes in what one source sends. Errors: kUpstream when it broke (what came before stays) or lies about lengths.
Task<Result<void>> Fills::drain(Running& running, BlobSource& source) {
  const auto no_room = [](const Error& error) {
    return Error(ErrorKind::kUnavailable, "this node has no room for the blob: {}", error.message());
  };
  const auto storage_failure = [&](const Error& error) {
    return error.kind() == ErrorKind::kNoSpace ? no_room(error) : error;
  };
  if (running.size && source.size() && *running.size != *source.size())
    co_return Error(ErrorKind::kUpstream, "{} changed its mind about the size of a blob", source.url());
  if (!running.room) {
    auto room = co_await space_.make_room(running.repository, running.fill->digest(), source.size());
    if (!room) co_return room.error();
    running.room.emplace(std::move(*room));
  }
  co_await running.prepared.wait();
  if (running.failure) co_return storage_failure(*running.failure);
  const auto know_size = [&running](std::uint64_t size) {
    running.size = size;
    running.fill->opened(std::move(running.for_readers), size);
  };
  if (!running.size && source.size()) know_size(*source.size());
  std::uint64_t skip = running.writer->size() - source.offset();  // a source that starts over is let run up to there
  while (true) {
    auto got = co_await source.next();
    if (!got) co_return got.error();
    if (got->empty()) break;
    Buffer buffer = std::move(*got);
    fetched_bytes_.add(buffer.size());
    if (!std::exchange(running.first_byte_seen, true))
      first_byte_.observe(Clock::system().monotonic() - running.started);
    if (skip > 0) {
      const std::size_t dropped = static_cast<std::size_t>(std::min<std::uint64_t>(skip, buffer.size()));
      skip -= dropped;
      if (dropped == buffer.size()) continue;
      Buffer rest = Buffer::take();
      rest.append(buffer.bytes().subspan(dropped));
      buffer = std::move(rest);
    }
    if (running.size && running.writer->size() + buffer.size() > *running.size)
      co_return Error(ErrorKind::kUpstream, "{} sent more than it said", source.url());
    if (!running.size) {
      auto reached = co_await running.room->reach(running.writer->size() + buffer.size());
      if (!reached) co_return reached;
    }
    auto appended = co_await running.writer->append(std::move(buffer));
    if (!appended) co_return storage_failure(appended.error());
    running.room->written(running.writer->size());
    failpoint("fill-written");
  }
  auto flushed = co_await running.writer->flush();
  if (!flushed) co_return storage_failure(flushed.error());
  if (running.size && running.writer->size() < *running.size)
    co_return Error(ErrorKind::kUpstream, "{} sent less than it said", source.url());
  if (!running.size) know_size(running.writer->size());
  co_return Result<void>();
}

Task<Result<void>> Fills::record(const RepositoryName& repository, const Digest& digest, const store::BlobRow& row) {
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(tables::blob_key(digest), row.encode());
    registry::put_membership(transaction, repository, digest);
    return {};
  });
}

Task<void> Fills::stop() {
  Loop& home = Loop::current();
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    co_await loops_[i]->enter();
    Part& part = *parts_[i];
    part.stopping = true;
    co_await part.scope.join();
  }
  co_await home.enter();
}

}  // namespace wherry::node
