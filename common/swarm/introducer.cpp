#include "common/swarm/introducer.h"

#include <algorithm>

#include "common/async/give_memory_back.h"
#include "common/async/sleep.h"
#include "common/auth/password_hash.h"
#include "common/auth/token_gate.h"
#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/http/problem.h"
#include "common/http/uri.h"
#include "common/net/address.h"
#include "common/oci/media_types.h"
#include "common/registry/tables.h"
#include "common/swarm/bodies.h"

namespace wherry::swarm {
namespace {

constexpr std::size_t kMostListBytes = std::size_t{1} << 20;
constexpr std::chrono::seconds kSweepEvery{10};

http::ByteRange range_of(const Torrent& torrent, PieceRun run) {
  const std::uint64_t first = torrent.offset_of(run.first);
  const std::uint32_t last = run.first + run.count - 1;
  return {first, torrent.offset_of(last) + torrent.bytes_of(last) - first};
}

Error not_a_member() { return Error(ErrorKind::kNotFound, "that is no member of a swarm of this blob (any more)"); }

}  // namespace

/// Who may read the blob.
struct Introducer::Reader {
  std::string node;
  RepositoryName repository;
};

/// Who may be introduced.
struct Introducer::Newcomer {
  Reader reader;
  std::string address;
  std::string site;
  bool may_bridge;
  std::string key;  ///< the request for its certificate
};

/// Pieces that somebody is to be sent in his turn.
struct Introducer::Lease {
  std::shared_ptr<Swarm> swarm;
  RepositoryName repository;
  std::string site;
  PieceRun run;
  std::shared_ptr<Transfer> coming;  ///< where the pieces are, if the blob is on its way
};

/// What comes of an ask for a lease.
struct Introducer::Outcome {
  std::optional<Lease> lease = std::nullopt;
  Semaphore::Held turn;      ///< while it is sent
  bool comes_later = false;  ///< there is none now, and pieces are on their way
  bool crowded = false;      ///< too many wait: not at once
  bool crosses = false;      ///< what he misses comes from other sites: not at once
};

struct Introducer::Ask {
  std::string member;
  std::string missing;  ///< an encoded PieceSet
  bool starved;
};

struct Introducer::Part {
  std::unordered_map<Digest, std::shared_ptr<Swarm>> swarms;
  Monotonic swept_at{};
};

Introducer::Introducer(registry::Storage& storage, registry::Blobs& blobs, TorrentBook& torrents,
                       const Arrivals* arrivals, NodeOf node_of, auth::NodeAuthority authority,
                       IntroducerOptions options, const std::vector<Loop*>& loops, Metrics& metrics)
    : storage_(storage),
      blobs_(blobs),
      node_of_(std::move(node_of)),
      authority_(std::move(authority)),
      authority_pem_(authority_.certificate().pem()),
      options_(options),
      torrents_(torrents),
      arrivals_(arrivals),
      holders_(loops, metrics),
      parts_(loops),
      introductions_(metrics.counter("wherry_swarm_introductions_total", "Nodes introduced to a swarm")),
      leased_bytes_(metrics.counter("wherry_swarm_leased_bytes_total", "Bytes of pieces sent into swarms")),
      leased_pieces_(metrics.counter("wherry_swarm_leased_pieces_total", "Pieces sent into swarms")),
      leased_again_(metrics.counter("wherry_swarm_leased_again_total", "Pieces that had to be sent once more")),
      scattered_(metrics.counter("wherry_swarm_scattered_total", "Swarms into which pieces were sent")),
      scattered_bytes_(metrics.counter("wherry_swarm_scattered_bytes_total",
                                       "Sizes of the blobs of swarms into which pieces were sent")) {}

Introducer::~Introducer() = default;

bool Introducer::would_come(const http::Request& request) const {
  return request.has_header(registry::kSwarmHeader) && !request.is_head();
}

Task<std::optional<std::string>> Introducer::invite(const http::Exchange& exchange, const RepositoryName& repository,
                                                    const Digest& digest, std::unique_ptr<http::Body>& body) {
  const bool wants_voucher = exchange.request().header(registry::kSwarmHeader) == registry::kSwarmVoucher;
  const auto what = wants_voucher ? Seals::TicketTo::kVoucher : Seals::TicketTo::kSwarm;
  std::uint64_t least = kLeastBytes;
  if (!wants_voucher) least = std::max(least, options_.min_bytes);
  if (body->size() < least || body->size() > kMostBytes) co_return std::nullopt;
  const auto node = node_name(exchange.request());
  if (!node) co_return std::nullopt;
  if (body->is_coming()) {
    if (!arrival_of(digest)) {  // its pieces are not known yet
      body = std::make_unique<UntilWhole>(std::move(body), least);
      co_return std::nullopt;
    }
  } else {
    auto row = co_await storage_.names().get(registry::tables::blob_key(digest));
    if (!row || !*row) co_return std::nullopt;  // it is passed on unstored
  }
  const std::int64_t until = to_millis(Clock::system().wall() + kTicketValidity);
  co_return fmt::format("{}{}?repository={}&until={}&ticket={}", kPrefix, digest.to_string(),
                        http::percent_encode(repository.text(), "/"), until,
                        seals_.ticket(what, digest, repository.text(), *node, until));
}

Result<std::string> Introducer::node_name(const http::Request& request) const {
  auto node = node_of_(request);
  if (!node) return node.error();
  if (!*node) return Error(ErrorKind::kUnauthorized, "swarms are for registered nodes");
  return std::move((*node)->name);
}

template <class Work>
Task<std::invoke_result_t<const Work&, Introducer::Part&>> Introducer::at(const Digest& digest, const Work& work) {
  Loop& here = Loop::current();
  const std::size_t index = home_of(digest);
  co_await parts_.loop(index).enter();
  auto outcome = work(parts_.part(index));
  co_await here.enter();
  co_return outcome;
}

std::shared_ptr<Swarm> Introducer::find(Part& part, const Digest& digest) {
  const auto found = part.swarms.find(digest);
  if (found == part.swarms.end()) return nullptr;
  if (found->second->epoch == epoch_.load()) return found->second;
  part.swarms.erase(found);
  return nullptr;
}

void Introducer::sweep(Part& part, Monotonic now) {
  part.swept_at = now;
  std::erase_if(part.swarms, [now](auto& entry) {
    entry.second->forget_silent(now);
    return entry.second->members.empty();
  });
}

Result<std::shared_ptr<Swarm>> Introducer::find_or_make(Part& part, const SharedTorrent& torrent, Monotonic now) {
  if (now - part.swept_at >= kSweepEvery) sweep(part, now);
  if (auto found = find(part, torrent->blob())) {
    if (found->torrent->is_same(*torrent)) return found;
    part.swarms.erase(torrent->blob());  // a parent above told otherwise once
  }
  if (part.swarms.size() >= kMostSwarms)
    return Error(ErrorKind::kUnavailable, "{} blobs are being shared already", kMostSwarms);
  auto made = std::make_shared<Swarm>(torrent, epoch_.load());
  part.swarms[torrent->blob()] = made;
  return made;
}

Task<Result<void>> Introducer::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  std::string_view place = request.path.substr(kPrefix.size());
  if (request.method != "POST") {
    auto refused = http::problem(405, "Method not allowed", "swarms are asked with POST");
    refused.header("Allow", "POST");
    co_return co_await exchange.send(std::move(refused));
  }
  if (place == "members") co_return co_await hear(exchange);
  if (place == "holdings") co_return co_await holdings(exchange);
  const auto slash = std::min(place.find('/'), place.size());
  const std::string_view what = place.substr(slash);
  const auto digest = Digest::parse(place.substr(0, slash));
  if (digest && what.empty()) co_return co_await introduce(exchange, *digest);
  if (digest && what == kVoucherPlace) co_return co_await voucher(exchange, *digest);
  if (digest && what == "/lease") co_return co_await lease(exchange, *digest);
  if (digest && what == "/neighbours") co_return co_await neighbours(exchange, *digest);
  co_return Error(ErrorKind::kNotFound, "there is nothing at this path");
}

Task<Result<void>> Introducer::introduce(http::Exchange& exchange, const Digest& digest) {
  auto reader = reader_of(exchange, digest, Seals::TicketTo::kSwarm);
  if (!reader) co_return reader.error();
  auto newcomer = newcomer_of(exchange, std::move(*reader));
  if (!newcomer) co_return newcomer.error();
  auto torrent = co_await torrent_of(newcomer->reader.repository, digest);
  if (!torrent) co_return torrent.error();
  const auto admission = [&](Part& part) { return admit(part, *torrent, *newcomer); };
  auto introduction = co_await at(digest, admission);
  if (!introduction) co_return introduction.error();
  introductions_.add();
  co_await call_holders(digest, newcomer->site);
  http::Response response(200);
  response.header("Cache-Control", "no-store").body("application/json", introduction->encode());
  co_return co_await exchange.send(std::move(response));
}

Task<Result<SharedTorrent>> Introducer::torrent_of(const RepositoryName& repository, const Digest& digest) {
  if (auto arrival = arrival_of(digest)) co_return std::move(arrival->torrent);
  co_return co_await torrents_.of(blobs_, repository, digest);
}

/// For a node that makes the torrent itself, of its own copy.
Task<Result<void>> Introducer::voucher(http::Exchange& exchange, const Digest& digest) {
  auto reader = reader_of(exchange, digest, Seals::TicketTo::kVoucher);
  if (!reader) co_return reader.error();
  auto torrent = co_await torrent_of(reader->repository, digest);
  if (!torrent) co_return torrent.error();
  http::Response response(200);
  response.header("Cache-Control", "no-store").body(std::string(media_type::kBlobBytes), (*torrent)->voucher());
  co_return co_await exchange.send(std::move(response));
}

Result<Introducer::Reader> Introducer::reader_of(const http::Exchange& exchange, const Digest& digest,
                                                 Seals::TicketTo what) const {
  const http::Request& request = exchange.request();
  const auto value = [&](std::string_view name) { return http::query_value(request.query, name).value_or(""); };
  const std::string named = value("repository");
  auto repository = RepositoryName::parse(named);
  if (!repository) return repository.error();
  auto node = node_name(request);
  if (!node) return node.error();
  const auto until = parse_decimal(value("until"), INT64_MAX);
  if (!until || static_cast<std::int64_t>(*until) < to_millis(Clock::system().wall()) ||
      !auth::equal_secrets(seals_.ticket(what, digest, named, *node, static_cast<std::int64_t>(*until)),
                           value("ticket")))
    return Error(ErrorKind::kDenied, "that is no ticket of this node's for this blob (any more)");
  return Reader{std::move(*node), std::move(*repository)};
}

Result<Introducer::Newcomer> Introducer::newcomer_of(const http::Exchange& exchange, Reader reader) {
  const std::string_view query = exchange.request().query;
  const auto value = [&](std::string_view name) { return http::query_value(query, name).value_or(""); };
  std::string address = auth::address_of(exchange.remote()) + ":" + value("port");
  if (!SocketAddress::parse(address)) return Error(ErrorKind::kInvalid, "port: that is none");
  std::string site = value("site");
  if (site.size() > kMostSiteBytes) return Error(ErrorKind::kInvalid, "site: its name is too long");
  auto key = from_base64url(value("key"));
  if (!key) return Error(ErrorKind::kInvalid, "key: that is no request for a certificate in base64url");
  const bool may_bridge = value("bridge") != "0";
  return Newcomer{std::move(reader), std::move(address), std::move(site), may_bridge, std::move(*key)};
}

Result<Introduction> Introducer::admit(Part& part, const SharedTorrent& torrent, const Newcomer& newcomer) {
  const Monotonic now = Clock::system().monotonic();
  auto made = find_or_make(part, torrent, now);
  if (!made) return made.error();
  Swarm& swarm = **made;
  const std::string shown = seals_.member(swarm.name, newcomer.reader.node);
  if (swarm.members.size() >= kMostMembers && !swarm.members.contains(shown))
    return Error(ErrorKind::kUnavailable, "{} nodes share this blob already", kMostMembers);
  auto certificate = authority_.certify_member(newcomer.key, swarm.name, Clock::system().wall(), kCertificateValidity);
  if (!certificate) return certificate.error();
  const std::string site = swarm.site_for(newcomer.site);
  const Neighbourhood::Member member{
      .name = newcomer.reader.node, .address = newcomer.address, .site = site, .may_bridge = newcomer.may_bridge};
  std::vector<std::string> peers;
  for (const auto& each : swarm.neighbours.join(member, now)) peers.push_back(each.address);
  swarm.members.insert_or_assign(shown, Swarm::Member{newcomer.reader.node, site, newcomer.reader.repository});
  return Introduction{.torrent = *torrent,
                      .name = swarm.name,
                      .repository = newcomer.reader.repository.text(),
                      .authority_pem = authority_pem_,
                      .certificate_pem = certificate->pem(),
                      .member = shown,
                      .peers = std::move(peers)};
}

/// A line for each: where it takes part.
Task<Result<void>> Introducer::neighbours(http::Exchange& exchange, const Digest& digest) {
  const std::string shown(exchange.request().header(kMemberHeader));
  const auto known = parse_decimal(http::query_value(exchange.request().query, "known").value_or("0"), kMostMembers);
  if (!known) co_return Error(ErrorKind::kInvalid, "known: that is no number of neighbours");
  struct Met {
    std::string site;
    std::string lines;
  };
  const auto meet = [&](Part& part) -> Result<Met> {
    const std::shared_ptr<Swarm> swarm = find(part, digest);
    if (swarm == nullptr) return not_a_member();
    const auto asks = swarm->members.find(shown);
    if (asks == swarm->members.end()) return not_a_member();
    const auto listed = swarm->neighbours.members().find(asks->second.node);
    if (listed == swarm->neighbours.members().end()) return not_a_member();
    Neighbourhood::Member member = listed->second;
    member.known_by = static_cast<std::uint32_t>(*known);
    Met met{member.site, {}};
    for (const auto& each : swarm->neighbours.join(member, Clock::system().monotonic()))
      met.lines.append(each.address).push_back('\n');
    return met;
  };
  auto met = co_await at(digest, meet);
  if (!met) co_return met.error();
  co_await call_holders(digest, met->site);
  http::Response response(200);
  response.header("Cache-Control", "no-store").body("text/plain", std::move(met->lines));
  co_return co_await exchange.send(std::move(response));
}

Task<Result<void>> Introducer::lease(http::Exchange& exchange, const Digest& digest) {
  Ask ask;
  ask.member = exchange.request().header(kMemberHeader);
  ask.starved = http::query_value(exchange.request().query, "starved").has_value();
  auto missing = co_await exchange.read_whole_body(PieceSet::kMost / 4);
  if (!missing) co_return missing.error();
  ask.missing = std::move(*missing);
  Loop& here = Loop::current();
  const std::size_t index = home_of(digest);
  co_await parts_.loop(index).enter();
  auto outcome = co_await next_lease(parts_.part(index), digest, ask);
  co_await here.enter();
  if (!outcome) co_return outcome.error();
  if (!outcome->lease) {
    http::Response none(outcome->comes_later ? 202 : 204);
    if (outcome->comes_later && outcome->crowded) none.header("Retry-After", "1");
    if (!outcome->comes_later && outcome->crosses) none.header("Retry-After", std::to_string(Crossing::kAgain.count()));
    co_return co_await exchange.send(std::move(none));
  }
  auto sent = co_await send_lease(exchange, *outcome->lease);
  co_await parts_.loop(index).enter();
  outcome->turn.end();
  if (sent)
    count_lease(*outcome->lease);
  else
    outcome->lease->swarm->came_back(outcome->lease->site, outcome->lease->run);
  co_await here.enter();
  co_return sent;
}

Task<Result<Introducer::Outcome>> Introducer::next_lease(Part& part, const Digest& digest, const Ask& ask) {
  const std::shared_ptr<Swarm> swarm = find(part, digest);
  if (swarm == nullptr || !swarm->members.contains(ask.member)) co_return not_a_member();
  swarm->neighbours.heard(swarm->members.at(ask.member).node, Clock::system().monotonic());
  const Monotonic until = Clock::system().monotonic() + kLongestLook;
  while (true) {
    Outcome outcome;
    outcome.crowded = swarm->sends.waiting() >= kMostWaiting;
    outcome.comes_later = swarm->here < swarm->torrent->pieces();
    if (outcome.crowded) co_return outcome;
    outcome.turn = co_await swarm->sends.take();
    auto coming = co_await look(*swarm);
    if (!coming) {
      if (find(part, digest) == swarm) part.swarms.erase(digest);
      co_return coming.error();
    }
    // Who waited may have been forgotten meanwhile.
    if (swarm->epoch != epoch_.load() || !swarm->members.contains(ask.member)) co_return not_a_member();
    const auto answer = choose(*swarm, ask);
    if (!answer) co_return answer.error();
    if (answer->run) {
      const Swarm::Member& member = swarm->members.at(ask.member);
      outcome.lease.emplace(swarm, member.repository, member.site, *answer->run, std::move(*coming));
      co_return outcome;
    }
    outcome.crosses = answer->crosses;
    outcome.turn.end();
    outcome.comes_later = swarm->here < swarm->torrent->pieces();
    if (!outcome.comes_later || Clock::system().monotonic() >= until) co_return outcome;
    outcome.crowded = swarm->looking >= kMostWaiting;
    if (outcome.crowded) co_return outcome;
    ++swarm->looking;
    co_await sleep_for(kLookEvery);
    --swarm->looking;
  }
}

std::optional<Arrival> Introducer::arrival_of(const Digest& digest) const {
  if (arrivals_ == nullptr) return std::nullopt;
  return arrivals_->find(digest);
}

Task<Result<std::shared_ptr<Transfer>>> Introducer::look(Swarm& swarm) {
  const Torrent& torrent = *swarm.torrent;
  if (auto arrival = arrival_of(torrent.blob())) {
    if (!arrival->torrent->is_same(torrent)) co_return not_a_member();
    const std::shared_ptr<Transfer>& transfer = arrival->transfer;
    // It has not begun, or comes anew, into another file.
    if (transfer == nullptr || transfer != swarm.coming_by.lock()) swarm.here = 0;
    swarm.coming_by = transfer;
    while (transfer != nullptr && swarm.here < torrent.pieces() && transfer->has(swarm.here)) ++swarm.here;
    co_return transfer;
  }
  auto row = co_await storage_.names().get(registry::tables::blob_key(torrent.blob()));
  if (!row) co_return row.error();
  if (!*row) co_return not_a_member();  // it came otherwise, or not at all, or was evicted
  swarm.here = torrent.pieces();
  co_return std::shared_ptr<Transfer>();
}

Result<Scatter::Answer> Introducer::choose(Swarm& swarm, const Ask& ask) {
  const auto set = PieceSet::decode(ask.missing, swarm.torrent->pieces());
  if (!set) return Error(ErrorKind::kInvalid, "the body is not a set of {} pieces", swarm.torrent->pieces());
  Swarm::Member& member = swarm.members.at(ask.member);
  const Monotonic now = Clock::system().monotonic();
  LeaseBoard& board = swarm.sites.at(member.site).board;
  const std::uint64_t again = board.given_again();
  const Scatter::Ask wants{.missing = *set,
                           .there = swarm.here,
                           .most = swarm.most_for(member, now),
                           .starved = ask.starved,
                           .bridged = swarm.neighbours.is_bridged(member.site)};
  const Scatter::Answer answer = swarm.scatter.lease(board, member.crossing, wants, now);
  if (answer.run) member.given += answer.run->count;
  leased_again_.add(board.given_again() - again);
  return answer;
}

Task<Result<void>> Introducer::send_lease(http::Exchange& exchange, const Lease& lease) {
  const Torrent& torrent = *lease.swarm->torrent;
  std::unique_ptr<http::Body> body;
  if (lease.coming != nullptr) {
    body = std::make_unique<ArrivedPieces>(lease.coming);
  } else {
    auto opened = co_await blobs_.open(lease.repository, torrent.blob());
    if (!opened) co_return opened.error();
    if ((*opened)->is_coming()) co_return not_a_member();  // it was evicted just now
    body = std::move(*opened);
  }
  const http::ByteRange range = range_of(torrent, lease.run);
  auto sent = co_await exchange.send_part(http::Response(206), *body, media_type::kBlobBytes, range);
  if (sent) leased_bytes_.add(range.count);
  co_return sent;
}

void Introducer::count_lease(const Lease& lease) {
  const Torrent& torrent = *lease.swarm->torrent;
  if (!std::exchange(lease.swarm->is_scattered, true)) {
    scattered_.add();
    scattered_bytes_.add(torrent.size());
  }
  lease.swarm->sites.at(lease.site).leased_bytes += range_of(torrent, lease.run).count;
  leased_pieces_.add(lease.run.count);
}

/// Lines of "DIGEST MEMBER PIECES" or "DIGEST MEMBER gone"; the answer has the digests of those that are in no swarm
/// any more.
Task<Result<void>> Introducer::hear(http::Exchange& exchange) {
  auto list = co_await exchange.read_whole_body(kMostListBytes);
  if (!list) co_return list.error();
  struct Line {
    Digest blob;
    std::string shown;
    std::optional<std::uint64_t> pieces;
    bool is_gone;
  };
  std::vector<Line> lines;
  for (std::string_view rest = *list; !rest.empty();) {
    const std::string_view line = take_line(rest);
    const auto space = line.find(' ');
    const auto digest = Digest::parse(line.substr(0, space));
    if (!digest || space == std::string_view::npos)
      co_return Error(ErrorKind::kInvalid, "each line is a digest, a member and how many pieces it has");
    const std::string_view says = line.substr(space + 1);
    const auto end = says.find(' ');
    std::string_view has;
    if (end != std::string_view::npos) has = says.substr(end + 1);
    lines.push_back({*digest, std::string(says.substr(0, end)), parse_decimal(has, PieceSet::kMost), has == kGone});
  }
  std::string ended;
  const auto home = [this](const Line& line) { return home_of(line.blob); };
  const auto hear_one = [&](Part& part, const Line& line) {
    const std::shared_ptr<Swarm> swarm = find(part, line.blob);
    const Swarm::Member* member = nullptr;
    if (swarm != nullptr)
      if (const auto found = swarm->members.find(line.shown); found != swarm->members.end()) member = &found->second;
    if (line.is_gone) {
      if (member != nullptr) swarm->leave(line.shown);
      return;
    }
    if (member != nullptr && line.pieces) swarm->neighbours.has(member->node, static_cast<std::uint32_t>(*line.pieces));
    if (member == nullptr || !swarm->neighbours.heard(member->node, Clock::system().monotonic()))
      ended.append(line.blob.to_string()).push_back('\n');
  };
  co_await parts_.visit_homes(lines, home, hear_one);
  http::Response response(200);
  response.body("text/plain", std::move(ended));
  co_return co_await exchange.send(std::move(response));
}

Task<SiteMap> Introducer::site_map() {
  Loop& here = Loop::current();
  SiteMap map;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    co_await parts_.loop(i).enter();
    co_await see(parts_.part(i), map);
  }
  co_await here.enter();
  co_return map;
}

Task<void> Introducer::see(Part& part, SiteMap& map) {
  std::vector<std::shared_ptr<const Swarm>> swarms;
  for (const auto& [digest, swarm] : part.swarms)
    if (swarm->epoch == epoch_.load()) swarms.push_back(swarm);
  std::size_t seen = 0;
  for (const auto& swarm : swarms) {
    const Torrent& torrent = *swarm->torrent;
    const auto& members = swarm->neighbours.members();
    std::string repository;
    if (!swarm->members.empty()) repository = swarm->members.begin()->second.repository.text();
    SiteMap::Swarm shown(torrent.blob(), std::move(repository), torrent.size());
    for (const auto& [name, site] : swarm->sites)
      if (site.leased_bytes > 0) shown.leased(name, site.leased_bytes);
    for (auto at = members.begin(); at != members.end();) {
      const auto& [name, member] = *at++;
      if (Clock::system().monotonic() - member.heard_at < Neighbourhood::kSilence)
        map.member(shown, member.site, name, torrent.bytes_of_some(member.pieces), member.is_bridge);
      if (++seen % kSeenAtOnce != 0) continue;
      const std::string last = name;
      co_await Loop::current().yield();
      at = members.upper_bound(last);
    }
    map.add(std::move(shown));
  }
}

/// Those who hold a blob and are in no swarm of it come to the help of who wants it.
Task<void> Introducer::call_holders(const Digest& digest, const std::string& site) {
  const auto choose = [&](Part& part) {
    std::vector<std::string> nodes;
    const std::shared_ptr<Swarm> swarm = find(part, digest);
    if (swarm == nullptr) return nodes;
    const auto found = swarm->sites.find(site);
    const Monotonic now = Clock::system().monotonic();
    if (found == swarm->sites.end()) return nodes;
    auto& called_at = found->second.holders_called_at;
    if (called_at && now - *called_at < kCallEvery) return nodes;
    called_at = now;
    return holders_.some(digest, site, [&](const std::string& node) {
      return swarm->members.contains(seals_.member(swarm->name, node));
    });
  };
  const std::vector<std::string> nodes = co_await at(digest, choose);
  co_await holders_.call(digest, site, nodes);
}

/// It has started again: it is in no swarm any more.
Task<void> Introducer::forget_member(const std::string& node) {
  const auto leave = [this, &node](Part& part) {
    for (auto& [digest, swarm] : part.swarms) swarm->leave(seals_.member(swarm->name, node));
  };
  co_await parts_.visit(leave);
}

/// Who holds blobs comes by every few seconds, also when nobody is introduced any more; one in kSweepEvery does this.
Task<void> Introducer::sweep_all() {
  const Monotonic now = Clock::system().monotonic();
  const std::int64_t second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::int64_t swept_in = swept_in_.load();
  if (second - swept_in < kSweepEvery.count() || !swept_in_.compare_exchange_strong(swept_in, second)) co_return;
  std::size_t ended = 0;
  const auto sweep_one = [now, &ended](Part& part) {
    ended += part.swarms.size();
    sweep(part, now);
    ended -= part.swarms.size();
  };
  co_await parts_.visit(sweep_one);
  if (ended >= kWorthGivingBack) co_await give_memory_back(storage_.blobs().pool());
}

Task<Result<void>> Introducer::holdings(http::Exchange& exchange) {
  const std::string_view query = exchange.request().query;
  const auto value = [&](std::string_view name) { return http::query_value(query, name).value_or(""); };
  auto node = node_name(exchange.request());
  if (!node) co_return node.error();
  const std::string site = value("site");
  if (site.size() > kMostSiteBytes) co_return Error(ErrorKind::kInvalid, "site: its name is too long");
  auto list = co_await exchange.read_whole_body(kMostListBytes);
  if (!list) co_return list.error();
  co_await sweep_all();
  auto noted = co_await holders_.note(*list, site, *node);
  if (!noted) co_return noted;
  const bool has_started_again = co_await holders_.is_new_life(*node, value("life"));
  if (has_started_again) co_await forget_member(*node);
  auto lines = co_await holders_.answer(*node, value("told"), value("wait") != "0");
  http::Response response(200);
  response.header("Cache-Control", "no-store").body("text/plain", std::move(lines));
  co_return co_await exchange.send(std::move(response));
}

http::Response Introducer::render(const Error& error) const { return http::problem_of(error); }

}  // namespace wherry::swarm
