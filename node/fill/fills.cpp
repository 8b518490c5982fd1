#include "node/fill/fills.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"
#include "node/fill/gaps.h"

namespace wherry::node {
namespace {

namespace tables = registry::tables;

/// What is asked of an upstream about a blob: its size, or all of it.
std::string blob_question(const RepositoryName& repository, const Digest& digest) {
  return question_key('b', repository, digest.to_string());
}

/// An upstream's "no" as this node says it.
Error as_said_here(const Error& error, const RepositoryName& repository, const Digest& digest) {
  return error.kind() == ErrorKind::kBlobUnknown ? registry::blob_unknown(repository, digest) : error;
}

/// What a failure of the disk means for who waits for the blob.
Error storage_failure(const Error& error) {
  if (error.kind() != ErrorKind::kNoSpace) return error;
  return Error(ErrorKind::kUnavailable, "this node has no room for the blob: {}", error.message());
}

/// Whether a gathering that ended so is the end of its fill, too.
bool ends_a_fill(const Error& error) {
  const ErrorKind kind = error.kind();
  return kind == ErrorKind::kNoSpace || kind == ErrorKind::kIo || kind == ErrorKind::kCancelled;
}

/// So often a fill is introduced to a swarm: anew when the one that it was in has ended.
constexpr int kMostIntroductions = 3;
/// Of what a swarm brought: others have their turn on the pool.
constexpr std::uint64_t kTakenAtOnce = std::uint64_t{16} << 20;

}  // namespace

/// A fill and what its writing needs.
struct Fills::Running {
  Running(const RepositoryName& repo, const Digest& digest, bool alone)
      : repository(repo), fill(std::make_shared<store::Fill>(digest)), sources(repo), apart(alone) {}
  const RepositoryName repository;  ///< whose client began it
  const std::shared_ptr<store::Fill> fill;
  Sources sources;
  /// Whether clients of that repository are told what comes of it, without a question to their upstream: not once that
  /// one said that they may not have it.
  bool is_for(const RepositoryName& other) const { return repository == other && !sources.first().dropped; }
  const bool apart;        ///< its repository is distrusted
  RequestContext context;  ///< with the trace of the request that started it
  Monotonic started = Clock::system().monotonic();
  bool first_byte_seen = false;
  std::string sent_by;  ///< the URL of who was asked last
  std::optional<CacheSpace::Room> room;
  std::optional<std::uint64_t> size;
  bool preparing = false;
  Event prepared;  ///< the three below are there, or failure says why not
  std::optional<store::BlobWriter> writer;
  UniqueFd for_readers;                ///< the writer's file, until the fill has it
  int introductions = 0;               ///< to swarms
  std::optional<ProvenPieces> pieces;  ///< that are in the file and right, beyond what the writer has
  std::optional<Error> failure;

  std::uint64_t front() const { return writer ? writer->size() : 0; }
  bool is_whole() const { return writer && size && front() == *size; }
  Gaps gaps() const { return size && pieces ? Gaps(*size, pieces->set) : Gaps(); }
};

/// The fills of one loop.
struct Fills::Part {
  std::unordered_map<Digest, std::shared_ptr<Running>> running;
  std::unordered_map<std::string, Monotonic> distrusted;  // by blob_question(): until when
  Scope scope;
  bool stopping = false;

  bool distrusts(const std::string& question) const {
    const auto found = distrusted.find(question);
    return found != distrusted.end() && Clock::system().monotonic() < found->second;
  }
  void distrust(std::string question) {
    if (distrusted.size() >= kMostDistrusted) distrusted.clear();
    distrusted[std::move(question)] = Clock::system().monotonic() + kDistrust;
  }
};

Fills::Fills(registry::Storage& storage, CacheSpace& space, const Upstreams& upstreams, Negatives& negatives,
             Swarms& swarms, const std::vector<Loop*>& loops, Metrics& metrics)
    : storage_(storage),
      space_(space),
      upstreams_(upstreams),
      negatives_(negatives),
      swarms_(swarms),
      sizes_(loops, negatives),
      parts_(loops),
      fetched_bytes_(metrics.counter("wherry_fill_fetched_bytes_total", "Bytes of blobs fetched from upstream")),
      kept_bytes_(metrics.counter("wherry_fill_kept_bytes_total",
                                  "Bytes that a swarm had brought before it gave up, and that were not fetched again")),
      started_(metrics.counter("wherry_fill_started_total", "Blobs that began to be fetched")),
      failed_(metrics.counter("wherry_fill_failed_total", "Blobs that could not be fetched")),
      resumed_(metrics.counter("wherry_fill_resumed_total", "Times a broken fetch went on where it stopped")),
      took_(metrics.histogram("wherry_fill_seconds", "From the first request for a blob to its end in the store")),
      first_byte_(
          metrics.histogram("wherry_fill_first_byte_seconds", "From the first request for a blob to its first byte")) {}

Fills::~Fills() = default;

Task<Result<Fills::Joined>> Fills::join(const RepositoryName& repository, const Digest& digest) {
  if (auto no = negatives_.find(blob_question(repository, digest))) co_return *no;
  const std::size_t index = digest.hash() % parts_.size();
  Loop& home = Loop::current();
  RequestContext* const request = co_await current_request();
  co_await parts_.loop(index).enter();
  auto joined = co_await join_here(parts_.part(index), repository, digest, request);
  co_await home.enter();
  if (request != nullptr && joined && joined->fill != nullptr)
    request->source = joined->began ? Source::kFilled : Source::kJoined;
  co_return joined;
}

/// The same on the digest's loop. Whatever was waited for, the fills are looked at again after it.
Task<Result<Fills::Joined>> Fills::join_here(Part& part, const RepositoryName& repository, const Digest& digest,
                                             const RequestContext* request) {
  std::optional<std::uint64_t> said;  // what this repository's upstream says of its size
  bool stored = true;                 // until the store says that it is not
  while (true) {
    if (const auto found = part.running.find(digest); found != part.running.end()) {
      Running& running = *found->second;
      if (running.is_for(repository)) co_return Joined{running.fill};
      if (running.apart || (said && running.size && *said != *running.size)) co_return Joined{.apart = true};
      if (said) {
        if (!part.distrusts(blob_question(repository, digest))) running.sources.add(repository, *said);
        co_return Joined{.fill = running.fill, .own = false, .said = said};
      }
      // Somebody fetches it for another repository: that this one has it too is for the upstream to say.
      auto size = co_await ask_size(repository, digest);
      if (!size) co_return size.error();
      said = *size;
      stored = true;
      continue;
    }
    if (part.stopping) co_return Error(ErrorKind::kUnavailable, "this node is ending");
    if (!stored) break;
    auto row = co_await storage_.names().get(tables::blob_key(digest));
    if (!row) co_return row.error();
    if (*row) co_return Joined();
    stored = false;
  }
  auto running = std::make_shared<Running>(repository, digest, part.distrusts(blob_question(repository, digest)));
  part.running.emplace(digest, running);
  started_.add();
  if (request != nullptr) {
    running->context.trace = request->trace;
    running->context.client = request->client;
  }
  part.scope.spawn(run(part, running));
  co_return Joined{.fill = running->fill, .began = true};
}

Task<Result<std::uint64_t>> Fills::ask_size(const RepositoryName& repository, const Digest& digest) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  const auto work = [this, repository, digest] { return upstream_size(repository, digest); };
  co_return co_await sizes_.ask(blob_question(repository, digest), remote->origin().options().negative_age, work);
}

Task<Result<std::uint64_t>> Fills::upstream_size(RepositoryName repository, Digest digest) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  auto size = co_await upstream.blob_size(remote->repository(), digest);
  if (!size) co_return as_said_here(size.error(), repository, digest);
  co_return size;
}

Task<std::shared_ptr<store::Fill>> Fills::find(RepositoryName repository, Digest digest) {
  const std::size_t index = digest.hash() % parts_.size();
  Loop& home = Loop::current();
  co_await parts_.loop(index).enter();
  std::shared_ptr<store::Fill> fill;
  const auto& running = parts_.part(index).running;
  const auto found = running.find(digest);
  if (found != running.end() && found->second->is_for(repository)) fill = found->second->fill;
  co_await home.enter();
  co_return fill;
}

Task<void> Fills::run(Part& part, std::shared_ptr<Running> running) {
  const Digest digest = running->fill->digest();
  co_await answer_for(running->context);
  const FillBoard::Place shown = board_.show(running->repository, running->fill);
  auto row = co_await fetch(part, *running);
  if (running->preparing) co_await running->prepared.wait();
  // As they are now: others may join while another thread writes them down.
  std::vector<RepositoryName> holders;
  if (row) holders = running->sources.holders(row->size());
  Result<void> stored;
  if (row)
    stored = co_await record(holders, digest, *row);
  else
    stored = row.error();
  if (!stored) {
    failed_.add();
    swarms_.comes_otherwise(digest);
    swarms_.drop(digest);
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
    co_await swarms_.stored(digest);
    if (stored_) stored_(digest, row->size());
    running->fill->kept();
    running->room->kept(row->size());
    part.distrusted.erase(blob_question(running->repository, digest));
    took_.observe(Clock::system().monotonic() - running->started);
  }
  running->room.reset();
  part.running.erase(digest);
  if (stored) co_return;
  believe_no(*running);
  const Error why = as_said_here(stored.error(), running->repository, digest);
  // Told last: who hears of it and asks again begins anew, and does not join what has failed.
  running->fill->failed(why);
}

/// What sources said is not theirs to give is not asked again at once.
void Fills::believe_no(const Running& running) {
  const Digest& digest = running.fill->digest();
  for (const Sources::Source& source : running.sources.all()) {
    auto remote = upstreams_.remote(source.repository);
    if (source.error && remote)
      negatives_.keep(blob_question(source.repository, digest), as_said_here(*source.error, source.repository, digest),
                      remote->origin().options().negative_age);
  }
}

/// Fetches until the whole is there and its digest is right; readers are let through to the end then.
Task<Result<store::BlobRow>> Fills::fetch(Part& part, Running& running) {
  store::Fill& fill = *running.fill;
  Error last(ErrorKind::kUpstream, "nothing was tried");
  // What the first source said is for those who wait for it; the others ask again.
  const auto told = [&running](const Error& why) { return running.sources.first().error.value_or(why); };
  while (!part.stopping) {
    Sources::Source* const source = running.sources.next();
    if (source == nullptr) co_return told(last);
    co_await source->attempts.pause();
    if (part.stopping) break;
    const std::uint64_t before = running.front();
    if (before > 0) resumed_.add();
    bool asked = false;
    auto taken = co_await take_from(part, running, *source, asked);
    const std::uint64_t brought = running.front() - before;
    if (!asked || brought > 0) {
      source->has_it = true;
      source->error.reset();
    }
    source->gave = source->gave || brought > 0;
    if (taken) {
      source->gave = true;
      // The digest is all that readers wait for; the disk may take its time after that.
      if (running.writer->digest() == fill.digest()) {
        fill.verified();
        co_return co_await running.writer->commit(fill.digest());
      }
      for (const Sources::Source& each : running.sources.all())
        if (each.gave) part.distrust(blob_question(each.repository, fill.digest()));
      co_return told(Error(ErrorKind::kUpstream, "{} sent other bytes than those of {}", running.sent_by,
                           fill.digest().to_string()));
    }
    last = taken.error();
    if (last.kind() == ErrorKind::kUnavailable) co_return last;  // nobody was asked
    // Who is told 429 before the first byte had better hear of it at once.
    const bool refused =
        asked && (!is_down(last) || (running.front() == 0 && last.kind() == ErrorKind::kUpstreamLimited));
    if (refused)
      running.sources.drop(*source, last);
    else if (is_down(last))
      running.sources.broke(*source, last, brought);
    else  // it is not the source's fault
      co_return last;
  }
  co_return Error(ErrorKind::kUnavailable, "this node is ending");
}

/// Asks one source for what is missing, a gap at a time, and takes it in. `asked`: an error is what the source
/// answered. However it ends, the writer has what is held from its front on.
Task<Result<void>> Fills::take_from(Part& part, Running& running, Sources::Source& from, bool& asked) {
  asked = true;
  auto remote = upstreams_.remote(from.repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  auto turn = co_await upstream.turn(remote->repository(), Budget::Use::kFill);
  if (!turn) co_return turn.error();
  // Who waits for his turn has no file yet: many may.
  if (!std::exchange(running.preparing, true)) part.scope.spawn(prepare(running));
  bool together =
      swarms_.takes_part() && upstreams_.parent() == &remote->origin() && running.introductions < kMostIntroductions;
  while (!part.stopping) {
    asked = true;
    const std::uint64_t front = running.front();
    const std::optional<std::uint64_t> end = running.gaps().fetch_to(front);
    auto source =
        co_await upstream.blob(std::move(*turn), remote->repository(), running.fill->digest(), front, together, end);
    if (!source) co_return source.error();
    asked = false;
    running.sent_by = upstream.url();
    if (!source->invitation().empty()) {
      ++running.introductions;
      const SharedAs shared{from.repository, running.fill->digest()};
      auto introduction = co_await swarms_.introduce(remote->origin(), source->invitation(), shared);
      if (!introduction && is_down(introduction.error()))
        co_return Error(ErrorKind::kUpstream, "{}", introduction.error().message());
      if (!introduction) {  // it is to be had without the others
        go_alone(running, introduction.error());
        turn = source->hand_on_turn();
        together = false;
        continue;
      }
      auto gathered = co_await gather(running, remote->origin(), *source, *introduction);
      if (gathered && running.size) from.said = running.size;
      co_return gathered;
    }
    if (source->size()) from.said = source->size();
    auto drained = co_await drain(running, *source, end);
    const std::uint64_t fetched_to = running.front();
    auto held = co_await take_held(running);
    if (!held) co_return held;
    const std::uint64_t kept = running.front() - fetched_to;
    kept_bytes_.add(kept);
    if (!drained && !(kept > 0 && running.is_whole())) co_return drained;
    if (running.is_whole()) co_return Result<void>();
    turn = source->hand_on_turn();
    together = false;
  }
  co_return Error(ErrorKind::kUnavailable, "this node is ending");
}

/// Takes in what a swarm gives. Errors: as drain(); the next one who is asked sends what is missing then.
Task<Result<void>> Fills::gather(Running& running, Origin& origin, const BlobSource& source,
                                 const swarm::Introduction& introduction) {
  auto gathered = co_await begin(running, introduction.torrent.size(), source.url());
  if (gathered) gathered = co_await gather_from(running, origin, introduction);
  if (!gathered) swarms_.comes_otherwise(introduction.torrent.blob());
  co_return gathered;
}

Task<Result<void>> Fills::gather_from(Running& running, Origin& origin, const swarm::Introduction& introduction) {
  auto flushed = co_await running.writer->flush();  // what a source sent that broke
  if (!flushed) co_return storage_failure(flushed.error());
  const std::uint64_t before = running.writer->size();
  const auto came = [this, &running](std::uint64_t size) {
    note_first_byte(running);
    running.room->written(size);
  };
  auto gathered = co_await swarms_.gather(origin, introduction, *running.writer, running.pieces, came);
  const bool goes_on = gathered || !ends_a_fill(gathered.error());
  Result<void> held;
  if (goes_on) held = co_await take_held(running);  // pieces may come until the very end
  fetched_bytes_.add(running.writer->size() - before);
  if (!held) co_return held;
  if (gathered || running.is_whole()) co_return Result<void>();
  if (!goes_on) co_return storage_failure(gathered.error());
  // Once more with those who begin anew; without a swarm where it gives nothing.
  if (gathered.error().kind() != ErrorKind::kNotFound) go_alone(running, gathered.error());
  co_return Error(ErrorKind::kUpstream, "{}", gathered.error().message());
}

/// No swarm is of use to it.
void Fills::go_alone(Running& running, const Error& why) {
  running.introductions = kMostIntroductions;
  log::info("a blob is fetched in another way",
            {{"digest", running.fill->digest().to_string()}, {"why", why.to_string()}});
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

/// Room, file and size, where they are not there yet. Errors: kUpstream for another size than before; kUnavailable when
/// there is no room (any more).
Task<Result<void>> Fills::begin(Running& running, std::optional<std::uint64_t> size, const std::string& said_by) {
  if (running.size && size && *running.size != *size)
    co_return Error(ErrorKind::kUpstream, "{} changed its mind about the size of a blob", said_by);
  if (!running.room) {
    auto room = co_await space_.make_room(running.repository, running.fill->digest(), size);
    if (!room) co_return room.error();
    running.room.emplace(std::move(*room));
  }
  co_await running.prepared.wait();
  if (running.failure) co_return storage_failure(*running.failure);
  if (running.size || !size) co_return Result<void>();
  auto reached = co_await running.room->reach(*size);
  if (!reached) co_return reached;
  know_size(running, *size);
  co_return Result<void>();
}

void Fills::know_size(Running& running, std::uint64_t size) {
  running.size = size;
  running.fill->opened(std::move(running.for_readers), size);
}

/// Takes in what one source sends, of which nothing may be missing up to `end` (nothing: up to the blob's end). Errors:
/// kUpstream when it broke (what came before stays) or lies about lengths.
Task<Result<void>> Fills::drain(Running& running, BlobSource& source, std::optional<std::uint64_t> end) {
  auto begun = co_await begin(running, source.size(), source.url());
  if (!begun) co_return begun;
  const auto said = source.end() ? source.end() : running.size;
  std::uint64_t at = source.offset();
  while (true) {
    auto got = co_await source.next();
    if (!got) co_return got.error();
    if (got->empty()) break;
    const std::uint64_t from = std::exchange(at, at + got->size());
    fetched_bytes_.add(got->size());
    note_first_byte(running);
    if (said && at > *said) co_return Error(ErrorKind::kUpstream, "{} sent more than it said", source.url());
    auto placed = co_await place(running, std::move(*got), from);
    if (!placed) co_return placed;
  }
  auto flushed = co_await running.writer->flush();
  if (!flushed) co_return storage_failure(flushed.error());
  if (running.size && running.writer->size() < end.value_or(*running.size))
    co_return Error(ErrorKind::kUpstream, "{} sent less than it said", source.url());
  if (!running.size) know_size(running, running.writer->size());
  co_return Result<void>();
}

/// Takes in the bytes at `at`, which is not beyond the front: only those that are not in the file already, for a source
/// may start over, or send what lies between two gaps, and what a swarm brought was checked.
Task<Result<void>> Fills::place(Running& running, Buffer buffer, std::uint64_t at) {
  store::BlobWriter& writer = *running.writer;
  const std::uint64_t end = at + buffer.size();
  while (writer.size() < end) {
    auto held = co_await take_held(running);
    if (!held) co_return held;
    const std::uint64_t front = writer.size();
    const std::uint64_t stop = std::min(end, running.gaps().next_held(front).value_or(end));
    if (front >= stop) continue;
    Buffer missing;
    if (front == at && stop == end) {
      missing = std::move(buffer);
    } else {
      missing = Buffer::take();
      missing.append(buffer.bytes().subspan(front - at, stop - front));
    }
    if (!running.size) {
      auto reached = co_await running.room->reach(stop);
      if (!reached) co_return reached;
    }
    auto appended = co_await writer.append(std::move(missing));
    if (!appended) co_return storage_failure(appended.error());
    running.room->written(writer.size());
    failpoint("fill-written");
  }
  co_return Result<void>();
}

/// What a swarm brought, from the front on.
Task<Result<void>> Fills::take_held(Running& running) {
  std::uint64_t front = running.front();
  const std::uint64_t end = running.gaps().held_to(front);
  while (front < end) {
    auto taken = co_await running.writer->append_written(std::min(end - front, kTakenAtOnce));
    if (!taken) co_return storage_failure(taken.error());
    front = running.front();
    running.room->written(front);
  }
  co_return Result<void>();
}

void Fills::note_first_byte(Running& running) {
  if (!std::exchange(running.first_byte_seen, true)) first_byte_.observe(Clock::system().monotonic() - running.started);
}

/// The blob is of all that have it.
Task<Result<void>> Fills::record(const std::vector<RepositoryName>& holders, const Digest& digest,
                                 const store::BlobRow& row) {
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(tables::blob_key(digest), row.encode());
    for (const RepositoryName& holder : holders) registry::put_membership(transaction, holder, digest);
    return {};
  });
}

Task<void> Fills::stop() {
  const auto stop_part = [](Part& part) {
    part.stopping = true;
    return part.scope.join();
  };
  co_await parts_.visit_each(stop_part);
  co_await sizes_.stop();
}

}  // namespace wherry::node
