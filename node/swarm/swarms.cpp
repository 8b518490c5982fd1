#include "node/swarm/swarms.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/async/give_memory_back.h"
#include "common/async/sleep.h"
#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/http/uri.h"
#include "node/swarm/rate_meter.h"

namespace wherry::node {
namespace {

constexpr std::chrono::milliseconds kFullPool{10};  // until one that has no room is asked again

}  // namespace

/// One blob that is shared.
struct Swarms::Part {
  Part(Origin& from, swarm::Introduction told, std::shared_ptr<Bell> rung)
      : origin(from), introduction(std::move(told)), bell(std::move(rung)) {}
  Origin& origin;
  const swarm::Introduction introduction;
  const std::shared_ptr<Bell> bell;
  std::shared_ptr<swarm::Transfer> transfer;
  std::shared_ptr<Gathering> gathering;             // while it runs, under Swarms::mutex_
  std::optional<Monotonic> complete_at;             // or when it gave something since, under Swarms::mutex_
  std::uint64_t seen_sent = 0;                      // under Swarms::mutex_
  std::uint32_t had_pieces = 0;                     // when it began
  std::uint64_t leased_bytes = 0;                   // of a gathering that is over, under Swarms::mutex_
  WallTime since = Clock::system().wall();          // it gathers, or gives, under Swarms::mutex_
  RateMeter received{Clock::system().monotonic()};  // under Swarms::mutex_
  RateMeter sent{Clock::system().monotonic()};      // under Swarms::mutex_

  // All under Swarms::mutex_:
  std::uint64_t from_parent() const { return gathering != nullptr ? gathering->leased_bytes() : leased_bytes; }
  std::uint64_t came_in() const { return from_parent() + transfer->received_bytes(); }
  std::uint32_t new_pieces() const { return transfer->count() - had_pieces; }
  SharedBlob shown(Monotonic now) const;
};

SharedBlob Swarms::Part::shown(Monotonic now) const {
  const swarm::Torrent& torrent = transfer->torrent();
  const std::uint32_t held = transfer->count();
  return {.digest = torrent.blob(),
          .repository = introduction.repository,
          .is_gathering = gathering != nullptr,
          .since = since,
          .size_bytes = torrent.size(),
          .held_bytes = torrent.bytes_of_some(held),
          .pieces = torrent.pieces(),
          .held_pieces = held,
          .from_parent_bytes = from_parent(),
          .from_neighbours_bytes = transfer->received_bytes(),
          .sent_bytes = transfer->sent_bytes(),
          .neighbours = transfer->peers(),
          .received_bytes_per_second = received.per_second(now, came_in()),
          .sent_bytes_per_second = sent.per_second(now, transfer->sent_bytes())};
}

Swarms::Swarms(SwarmOptions options, const Vouchers& vouchers, swarm::TorrentBook& torrents, Pool& disk,
               const std::vector<Loop*>& loops, Metrics& metrics)
    : options_(std::move(options)), vouchers_(vouchers), torrents_(torrents), disk_(disk), leases_(loops) {
  const auto sum = [this](auto field, std::uint64_t ended) {
    for (const auto& [digest, part] : parts_) ended += (part->transfer.get()->*field)();
    return ended;
  };
  const std::string received = "wherry_swarm_received_bytes_total";
  const std::string help = "Bytes of pieces that came in by swarms";
  metrics.count_of(received, help, {{"from", "parent"}}, [this] {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = ended_leased_;
    for (const auto& [digest, part] : parts_)
      if (part->gathering != nullptr) bytes += part->gathering->leased_bytes();
    return bytes;
  });
  metrics.count_of(received, help, {{"from", "neighbours"}}, [this, sum] {
    const std::lock_guard lock(mutex_);
    return sum(&swarm::Transfer::received_bytes, ended_received_);
  });
  metrics.count_of("wherry_swarm_received_pieces_total", "Pieces that came in by swarms and were right", {}, [this] {
    const std::lock_guard lock(mutex_);
    std::uint64_t pieces = ended_pieces_;
    for (const auto& [digest, part] : parts_) pieces += part->new_pieces();
    return pieces;
  });
  metrics.count_of("wherry_swarm_sent_bytes_total", "Bytes of pieces given to neighbours", {}, [this, sum] {
    const std::lock_guard lock(mutex_);
    return sum(&swarm::Transfer::sent_bytes, ended_sent_);
  });
  metrics.count_of("wherry_swarm_banned_total", "Neighbours shut out for what they sent", {},
                   [this] { return banned_.load(); });
  metrics.gauge("wherry_swarm_blobs", "Blobs that are shared now", [this] {
    const std::lock_guard lock(mutex_);
    return static_cast<double>(parts_.size());
  });
  metrics.gauge("wherry_swarm_neighbours", "Connections to neighbours", [this] {
    const std::lock_guard lock(mutex_);
    std::uint64_t peers = 0;
    for (const auto& [digest, part] : parts_) peers += part->transfer->peers();
    return static_cast<double>(peers);
  });
}

Swarms::~Swarms() = default;

Task<Result<void>> Swarms::start() {
  if (options_.session.listen.empty()) co_return Result<void>();
  auto started = co_await disk_.run([this] { return swarm::Session::start(options_.session); });
  if (!started) co_return started.error();
  session_ = std::move(*started);
  scope_.spawn(tend());
  scope_.spawn(measure());
  co_return Result<void>();
}

void Swarms::cancel() {
  stopping_ = true;
  sleeper_.wake();
  measuring_.wake();
  const std::lock_guard lock(mutex_);
  for (const auto& [digest, part] : parts_)
    if (part->gathering != nullptr) part->gathering->cancel();
}

Task<void> Swarms::stop() {
  cancel();
  co_await scope_.join();
  co_await join_all(leases_);
  const auto end = [this]() -> Result<void> {
    {
      const std::lock_guard lock(mutex_);
      parts_.clear();
    }
    session_.reset();
    return {};
  };
  auto ended = co_await disk_.run(end);
  if (!ended) log::warn("the swarm's session did not end well", {{"error", ended.error().to_string()}});
}

Task<Result<swarm::Introduction>> Swarms::ask(Origin& origin, const std::string& invitation, const SharedAs& shared) {
  {
    const std::lock_guard lock(mutex_);  // who comes again is in the swarm under the same name
    left_.erase(shared.digest);
  }
  Question question;
  question.method = "POST";
  question.target = fmt::format("{}&port={}&site={}&key={}", invitation, session_->port(),
                                http::percent_encode(options_.session.site), to_base64url(key_request_));
  if (!options_.may_bridge) question.target += "&bridge=0";
  question.answers = {200};
  auto answer = co_await origin.ask(std::move(question));
  if (!answer) co_return answer.error();
  auto text = co_await (*answer)->read_whole(swarm::Introduction::kMostBytes);
  if (!text) co_return text.error();
  auto introduction = swarm::Introduction::decode(shared.digest, *text);
  if (!introduction) co_return introduction;
  auto checked = co_await vouchers_.check(shared.repository, introduction->torrent);
  if (checked) co_return introduction;
  leave(origin, *introduction);
  co_return checked.error();
}

Task<Result<swarm::Introduction>> Swarms::introduce(Origin& origin, const std::string& invitation,
                                                    const SharedAs& shared) {
  auto introduction = co_await ask(origin, invitation, shared);
  if (!introduction) co_return introduction;
  swarm::Arrival arrival{std::make_shared<const swarm::Torrent>(introduction->torrent), nullptr};
  const std::lock_guard lock(mutex_);
  arriving_[shared.digest] = std::move(arrival);
  co_return introduction;
}

Task<Result<std::shared_ptr<Swarms::Part>>> Swarms::join(Origin& origin, const swarm::Introduction& introduction,
                                                         int file, const swarm::PieceSet& have) {
  const swarm::Credentials credentials{.name = introduction.name,
                                       .authority_pem = introduction.authority_pem,
                                       .certificate_pem = introduction.certificate_pem,
                                       .key_pem = key_.pem()};
  auto part = std::make_shared<Part>(origin, introduction, Bell::make());
  part->had_pieces = have.count();
  const auto add = [&]() -> Result<void> {
    UniqueFd shared(::fcntl(file, F_DUPFD_CLOEXEC, 0));
    if (!shared) return system_error(errno, "share a file");
    auto added =
        session_->add(introduction.torrent, credentials, std::move(shared), have, introduction.peers, part->bell);
    if (!added) return added.error();
    part->transfer = std::move(*added);
    return {};
  };
  auto added = co_await disk_.run(add);
  if (!added) co_return added.error();
  co_return part;
}

Task<Result<void>> Swarms::gather(Origin& origin, const swarm::Introduction& introduction, store::BlobWriter& writer,
                                  std::optional<ProvenPieces>& known, Gathering::Came came) {
  const swarm::Torrent& torrent = introduction.torrent;
  const Digest digest = torrent.blob();
  forget(digest, false);
  swarm::PieceSet have(torrent.pieces());
  if (known && known->root == torrent.root()) have = known->set;
  for (std::uint32_t piece = 0; piece < torrent.pieces_before(writer.size()); ++piece) have.add(piece);
  auto joined = co_await join(origin, introduction, writer.file(), have);
  if (!joined) co_return joined.error();
  const std::shared_ptr<Part> part = std::move(*joined);
  const auto gathering = std::make_shared<Gathering>(origin, part->introduction.member, part->transfer, part->bell);
  {
    const std::lock_guard lock(mutex_);
    part->gathering = gathering;
    parts_[digest] = part;
    if (const auto arriving = arriving_.find(digest); arriving != arriving_.end())
      arriving->second.transfer = part->transfer;
  }
  if (stopping_) gathering->cancel();
  auto gathered = co_await gathering->run(writer, came, leases_.here());
  const auto stop_writing = [&]() -> Result<void> {
    part->transfer->stop_writing();
    return {};
  };
  auto stopped = co_await disk_.run(stop_writing);
  while (!stopped) {  // the pool has no room just now; nothing else may write to the file before this
    co_await sleep_for(kFullPool);
    stopped = co_await disk_.run(stop_writing);
  }
  known.emplace(torrent.root(), swarm::PieceSet(torrent.pieces()));
  for (std::uint32_t piece = 0; piece < torrent.pieces(); ++piece)
    if (part->transfer->has(piece)) known->set.add(piece);
  bool stays = false;
  {
    const std::lock_guard lock(mutex_);
    ended_leased_ += gathering->leased_bytes();
    part->leased_bytes = gathering->leased_bytes();
    part->gathering = nullptr;
    part->complete_at = Clock::system().monotonic();
    part->since = Clock::system().wall();
    stays = gathered && !stopping_ && parts_.size() <= kMostShared;
  }
  if (!stays) drop(digest);
  co_return gathered;
}

Task<Result<void>> Swarms::give(Origin& origin, const std::string& invitation, const SharedAs& shared, UniqueFd file) {
  const Digest& digest = shared.digest;
  if (count() >= kMostShared) co_return Error(ErrorKind::kUnavailable, "{} blobs are shared already", kMostShared);
  auto introduction = co_await ask(origin, invitation, shared);
  if (!introduction) co_return introduction.error();
  struct stat held{};
  if (::fstat(file.get(), &held) != 0) co_return system_error(errno, "look at a blob's file");
  if (static_cast<std::uint64_t>(held.st_size) != introduction->torrent.size()) {
    leave(origin, *introduction);
    co_return Error(ErrorKind::kUpstream, "the parent says that {} has {} bytes, which is not so", digest.to_string(),
                    introduction->torrent.size());
  }
  const swarm::PieceSet all(introduction->torrent.pieces(), true);
  auto joined = co_await join(origin, *introduction, file.get(), all);
  if (!joined) co_return joined.error();
  std::shared_ptr<Part> part = std::move(*joined);
  part->complete_at = Clock::system().monotonic();
  const std::lock_guard lock(mutex_);
  if (!stopping_) parts_.try_emplace(digest, part);
  co_return Result<void>();
}

std::size_t Swarms::count() const {
  const std::lock_guard lock(mutex_);
  return parts_.size();
}

bool Swarms::shares(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return parts_.contains(digest);
}

std::optional<swarm::Arrival> Swarms::find(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = arriving_.find(digest);
  if (found == arriving_.end()) return std::nullopt;
  return found->second;
}

void Swarms::comes_otherwise(const Digest& digest) {
  swarm::Arrival arrival;  // ends outside of the lock
  const std::lock_guard lock(mutex_);
  const auto found = arriving_.find(digest);
  if (found == arriving_.end()) return;
  arrival = std::move(found->second);
  arriving_.erase(found);
}

Task<void> Swarms::stored(const Digest& digest) {
  const auto arrival = find(digest);
  if (!arrival) co_return;
  co_await torrents_.keep(arrival->torrent);
  comes_otherwise(digest);
}

void Swarms::ended(const Part& part) {
  ended_received_ += part.transfer->received_bytes();
  ended_sent_ += part.transfer->sent_bytes();
  ended_pieces_ += part.new_pieces();
}

void Swarms::drop(const Digest& digest) { forget(digest, true); }

void Swarms::forget(const Digest& digest, bool is_news) {
  std::shared_ptr<Part> part;  // ends outside of the lock
  const std::lock_guard lock(mutex_);
  const auto found = parts_.find(digest);
  if (found == parts_.end() || found->second->gathering != nullptr) return;
  part = found->second;
  ended(*part);
  parts_.erase(found);
  if (is_news) left_.insert_or_assign(digest, Left{&part->origin, part->introduction.member});
}

void Swarms::leave(Origin& origin, const swarm::Introduction& introduction) {
  const std::lock_guard lock(mutex_);
  left_.insert_or_assign(introduction.torrent.blob(), Left{&origin, introduction.member});
}

void Swarms::leave_all() {
  std::vector<std::shared_ptr<Part>> left;
  const std::lock_guard lock(mutex_);
  std::erase_if(parts_, [&](const auto& entry) {
    const std::shared_ptr<Part>& part = entry.second;
    if (part->gathering != nullptr) {
      part->gathering->begin_anew();
      return false;
    }
    ended(*part);
    left.push_back(part);
    return true;
  });
}

SharedBlobs Swarms::list(std::size_t most) const {
  SharedBlobs blobs{.listen = options_.session.listen, .site = options_.session.site};
  std::vector<const Part*> order;
  const auto is_before = [](const Part* one, const Part* other) {
    const bool gathers = one->gathering != nullptr;
    if (gathers != (other->gathering != nullptr)) return gathers;
    if (one->since != other->since) return one->since > other->since;
    return one->introduction.torrent.blob() < other->introduction.torrent.blob();
  };
  const std::lock_guard lock(mutex_);
  for (const auto& [digest, part] : parts_) {
    order.push_back(part.get());
    if (part->gathering != nullptr) ++blobs.gathering;
  }
  blobs.count = order.size();
  const auto shown = static_cast<std::ptrdiff_t>(std::min(most, order.size()));
  std::ranges::partial_sort(order, order.begin() + shown, is_before);
  const Monotonic now = Clock::system().monotonic();
  for (auto each = order.begin(); each != order.begin() + shown; ++each) blobs.listed.push_back((*each)->shown(now));
  return blobs;
}

Task<void> Swarms::measure() {
  while (!stopping_) {
    {
      const Monotonic now = Clock::system().monotonic();
      const std::lock_guard lock(mutex_);
      for (const auto& [digest, part] : parts_) {
        part->received.sample(now, part->came_in());
        part->sent.sample(now, part->transfer->sent_bytes());
      }
    }
    co_await measuring_.sleep(RateMeter::kEvery);
  }
}

Task<void> Swarms::tend() {
  bool many_ended = false;
  while (!stopping_) {
    co_await sleeper_.sleep(kHeardEvery);
    if (stopping_) break;
    banned_ = session_->banned();
    const std::vector<Digest> over = idle(Clock::system().monotonic());
    for (const Digest& digest : over) drop(digest);
    // libtorrent lets go of them a moment after they were dropped.
    if (std::exchange(many_ended, over.size() >= kWorthGivingBack)) co_await give_memory_back(disk_);
    co_await tell_parent();
  }
}

/// Those that are not given any more: what failed, what nobody has taken for a while, and the longest idle of too many.
std::vector<Digest> Swarms::idle(Monotonic now) {
  std::vector<Digest> over;
  std::vector<std::pair<Monotonic, Digest>> waiting;
  const std::lock_guard lock(mutex_);
  for (const auto& [digest, part] : parts_) {
    if (!part->complete_at) continue;
    const auto failure = part->transfer->failure();
    if (failure)
      log::warn("a blob is not given to neighbours any more",
                {{"digest", digest.to_string()}, {"error", failure->to_string()}});
    const std::uint64_t sent = part->transfer->sent_bytes();
    if (std::exchange(part->seen_sent, sent) != sent) part->complete_at = now;
    const auto since = *part->complete_at;
    if (failure || now - since > options_.seed_time)
      over.push_back(digest);
    else if (now - since >= kHeardEvery)
      waiting.emplace_back(since, digest);
  }
  if (waiting.size() <= kMostIdle) return over;
  std::ranges::sort(waiting);
  const std::size_t too_many = waiting.size() - kMostIdle;
  for (std::size_t i = 0; i < too_many; ++i) over.push_back(waiting[i].second);
  return over;
}

/// Lines for each parent: what is shared, with how many pieces, and what is not any more.
std::map<Origin*, std::string> Swarms::news() {
  const std::lock_guard lock(mutex_);
  std::map<Origin*, std::string> lists;
  std::erase_if(left_, [&](const auto& entry) {
    const auto& [digest, left] = entry;
    if (arriving_.contains(digest)) return false;  // it may come again in a moment
    if (!parts_.contains(digest))
      lists[left.origin] += fmt::format("{} {} {}\n", digest.to_string(), left.member, swarm::kGone);
    return true;
  });
  for (const auto& [digest, part] : parts_)
    lists[&part->origin] +=
        fmt::format("{} {} {}\n", digest.to_string(), part->introduction.member, part->transfer->count());
  return lists;
}

/// So that the parent goes on introducing others to this node, and says where that is over.
Task<void> Swarms::tell_parent() {
  std::map<Origin*, std::string> lists = news();
  for (auto& [origin, list] : lists) {
    Question question;
    question.method = "POST";
    question.target = std::string(swarm::kPrefix) + "members";
    question.body = std::move(list);
    question.answers = {200};
    question.patient = false;
    auto answer = co_await origin->ask(std::move(question));
    if (!answer) continue;  // neighbours know each other without it
    auto over = co_await (*answer)->read_whole(std::size_t{1} << 20);
    if (!over) continue;
    for (std::string_view rest = *over; !rest.empty();) {
      const std::string_view line = take_line(rest);
      if (const auto digest = Digest::parse(line)) forget(*digest, false);
    }
  }
}

}  // namespace wherry::node
