#include "bench/swarm/world.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/swarm/torrent.h"

namespace wherry::bench {
namespace {

constexpr Nanos kPatience = std::chrono::seconds(1);
constexpr Nanos kTellsEach = std::chrono::seconds(10);

Nanos to_send(std::uint64_t bytes, double rate) {
  return Nanos(static_cast<Nanos::rep>(static_cast<double>(bytes) / rate * 1e9));
}

/// Counts a piece of the first run; true when it was its last one.
bool ends_run(std::vector<std::uint32_t>& runs) {
  if (--runs.front() > 0) return false;
  runs.erase(runs.begin());
  return true;
}

double seconds(Nanos time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

World::World(const Shape& shape)
    : shape_(shape),
      piece_bytes_(swarm::piece_bytes_for(shape.blob_bytes)),
      pieces_(swarm::pieces_for(shape.blob_bytes)),
      random_(shape.seed),
      parent_up_(shape.sends),
      neighbourhood_(shape.seed),
      scatter_(pieces_),
      boards_(shape.sites, swarm::LeaseBoard(pieces_)) {
  nodes_.reserve(shape.nodes);
  for (std::uint32_t node = 0; node < shape.nodes; ++node) {
    nodes_.emplace_back(shape.slots, pieces_);
    events_.add(node * shape.every, Happens::kStart, node);
  }
}

Outcome World::run() {
  while (done_ < shape_.nodes) {
    WHERRY_CHECK(!events_.empty());
    const Event event = events_.take();
    now_ = event.at;
    happen(event);
  }
  std::ranges::sort(outcome_.seconds);
  std::ranges::sort(firsts_);
  outcome_.first_piece_median = firsts_[firsts_.size() / 2];
  outcome_.copies = static_cast<double>(parent_bytes_) / static_cast<double>(shape_.blob_bytes);
  for (const auto& board : boards_) outcome_.again += board.given_again();
  for (const Node& node : nodes_)
    outcome_.neighbours_most = std::max<std::uint64_t>(outcome_.neighbours_most, node.neighbours.size());
  outcome_.events = events_.added();
  return std::move(outcome_);
}

void World::happen(const Event& event) {
  switch (event.what) {
    case Happens::kStart: return start(event.node);
    case Happens::kJoin: return join(event.node);
    case Happens::kMet: return meet(event.node);
    case Happens::kAsk: return ask(event.node);
    case Happens::kAsked: return asked(event.node);
    case Happens::kRequested:
      nodes_[event.node].up.want(event.other, event.piece, bytes_of(event.piece));
      return send(event.node);
    case Happens::kSent: return sent(event.node);
    case Happens::kArrived: return arrived(event.node, event.other, event.piece);
    case Happens::kAnnounced: return announced(event.node, event.piece);
    case Happens::kTold:
      neighbourhood_.heard(std::to_string(event.node), clock());
      return events_.add(now_ + kTellsEach, Happens::kTold, event.node);
  }
}

/// The introduction costs a round trip, and a connection one and a half more; leases are asked for meanwhile.
void World::start(std::uint32_t node) {
  nodes_[node].start = nodes_[node].heard_at = now_;
  events_.add(now_, Happens::kJoin, node);
  events_.add(now_ + kTellsEach, Happens::kTold, node);
  for (std::uint64_t i = 0; i < shape_.asks; ++i) events_.add(now_ + 2 * shape_.one_way, Happens::kAsk, node);
}

void World::join(std::uint32_t node) {
  Node& self = nodes_[node];
  const auto known = static_cast<std::uint32_t>(self.neighbours.size());
  if (self.count == pieces_ || known >= swarm::Neighbourhood::kWanted) return;
  ++outcome_.joins;
  for (const auto& each : neighbourhood_.join({std::to_string(node), "", site_of(node), {}, known, 0}, clock()))
    self.to_meet.push_back(static_cast<std::uint32_t>(std::stoul(each.name)));
  events_.add(now_ + 5 * shape_.one_way, Happens::kMet, node);
  if (shape_.join_again == Nanos{}) return;
  self.join_pause = self.join_pause == Nanos{} ? shape_.join_again : 2 * self.join_pause;
  events_.add(now_ + self.join_pause, Happens::kJoin, node);
}

void World::meet(std::uint32_t node) {
  for (const std::uint32_t other : std::exchange(nodes_[node].to_meet, {})) {
    if (knows(node, other)) continue;
    connect(node, other);
    connect(other, node);
    request_rarest(node, neighbour_of(node, other));
    request_rarest(other, neighbour_of(other, node));
  }
}

void World::connect(std::uint32_t one, std::uint32_t other) {
  Node& self = nodes_[one];
  const bool far = one % shape_.sites != other % shape_.sites;
  self.neighbours.push_back({other, far});
  for (std::uint32_t piece = 0; piece < pieces_; ++piece) {
    if (!nodes_[other].announced.has(piece)) continue;
    ++self.seen[piece];
    if (!far) ++self.near[piece];
  }
}

void World::ask(std::uint32_t node) {
  Node& self = nodes_[node];
  if (self.count == pieces_ || self.asking == shape_.asks) return;
  ++self.asking;
  events_.add(now_ + shape_.one_way, Happens::kAsked, node);
}

/// What is missing is written down as it arrives, not as it was sent, which is one_way earlier.
void World::asked(std::uint32_t node) {
  ++outcome_.asks;
  if (now_ - second_ >= std::chrono::seconds(1)) {
    second_ = now_;
    asks_this_second_ = 0;
  }
  outcome_.asks_peak = std::max(outcome_.asks_peak, ++asks_this_second_);
  neighbourhood_.heard(std::to_string(node), clock());
  const Node& self = nodes_[node];
  Ask ask{node, swarm::PieceSet(pieces_), is_starved(self)};
  for (std::uint32_t piece = 0; piece < pieces_; ++piece) {
    if (self.near[piece] > 0 || self.has.has(piece)) continue;
    if (!self.taken.has(piece) || self.from_far.has(piece)) ask.missing.add(piece);
  }
  if (sending_ < shape_.sends) {
    if (!give(ask)) refuse(ask);
  } else if (waiting_.size() < shape_.waiting) {
    waiting_.push_back(std::move(ask));
  } else {
    refuse(ask);
  }
}

/// Who knows somebody gives them a second to begin.
bool World::is_starved(const Node& node) const {
  if (node.requested > 0 || !node.runs_coming.empty()) return false;
  return (node.neighbours.empty() && node.to_meet.empty()) || now_ - node.heard_at >= kPatience;
}

bool World::give(Ask& ask) {
  auto& board = boards_[ask.node % shape_.sites];
  const auto most = static_cast<std::uint32_t>(shape_.run);
  const bool bridged = neighbourhood_.is_bridged(site_of(ask.node));
  const auto lease = [&](bool starved) {
    return scatter_.lease(board, nodes_[ask.node].crossing, {ask.missing, pieces_, most, starved, bridged}, clock());
  };
  auto answer = lease(false);
  if (!answer.run && ask.starved) answer = lease(true);
  ask.crosses = answer.crosses;
  const auto run = answer.run;
  if (!run) return false;
  ++sending_;
  for (std::uint32_t piece = run->first; piece < run->first + run->count; ++piece) {
    if (nodes_[ask.node].taken.has(piece)) ++outcome_.twice;
    nodes_[ask.node].taken.add(piece);
    parent_bytes_ += bytes_of(piece);
    parent_up_.want(ask.node, piece, bytes_of(piece));
  }
  nodes_[ask.node].runs_leaving.push_back(run->count);
  nodes_[ask.node].runs_coming.push_back(run->count);
  send(static_cast<std::uint32_t>(shape_.nodes));
  return true;
}

void World::refuse(const Ask& ask) {
  Node& self = nodes_[ask.node];
  --self.asking;
  Nanos pause = swarm::Crossing::kAgain;
  if (!ask.crosses) pause = self.pause = std::clamp(2 * self.pause, shape_.come_again, shape_.come_again_most);
  const auto spread = Nanos(static_cast<Nanos::rep>(random_() % static_cast<std::uint64_t>(pause.count() + 1)));
  events_.add(now_ + 2 * shape_.one_way + pause / 2 + spread, Happens::kAsk, ask.node);
}

void World::request_rarest(std::uint32_t node, Neighbour& of) {
  Node& self = nodes_[node];
  while (of.asked < shape_.pipeline) {
    std::uint32_t best = pieces_;
    std::uint32_t rarity = ~std::uint32_t{0};
    std::uint64_t equals = 0;
    Bits::each_of_without(nodes_[of.node].announced, self.taken, [&](std::size_t piece) {
      const std::uint32_t near = self.seen[piece];
      if (near > rarity) return;
      equals = near < rarity ? 1 : equals + 1;
      rarity = near;
      if (equals == 1 || random_() % equals == 0) best = static_cast<std::uint32_t>(piece);
    });
    if (best == pieces_) return;
    request(node, of, best);
  }
}

void World::request(std::uint32_t node, Neighbour& of, std::uint32_t piece) {
  ++of.asked;
  ++nodes_[node].requested;
  nodes_[node].taken.add(piece);
  if (of.far) nodes_[node].from_far.add(piece);
  events_.add(now_ + shape_.one_way, Happens::kRequested, of.node, node, piece);
}

/// Whoever has room in what it asked this neighbour for lacks nothing else that it has.
void World::announced(std::uint32_t node, std::uint32_t piece) {
  nodes_[node].announced.add(piece);
  for (const Neighbour& each : nodes_[node].neighbours) {
    Node& other = nodes_[each.node];
    ++other.seen[piece];
    if (!each.far) ++other.near[piece];
    if (other.taken.has(piece)) continue;
    Neighbour& self = neighbour_of(each.node, node);
    if (self.asked < shape_.pipeline) request(each.node, self, piece);
  }
}

void World::send(std::uint32_t sender) {
  Uplink& up = is_parent(sender) ? parent_up_ : nodes_[sender].up;
  if (!up.idle()) return;
  const auto block = up.begin();
  if (!block) return;
  events_.add(now_ + to_send(block->bytes, is_parent(sender) ? shape_.parent_rate : shape_.node_rate), Happens::kSent,
              sender);
}

void World::sent(std::uint32_t sender) {
  const Uplink::Block block = (is_parent(sender) ? parent_up_ : nodes_[sender].up).end();
  Node& to = nodes_[block.to];
  // The first bytes of a block come in while its last ones leave; when others are before it, it waits for them.
  to.down_free = std::max(to.down_free + to_send(block.bytes, shape_.node_rate), now_ + shape_.one_way);
  if (block.last) events_.add(to.down_free, Happens::kArrived, block.to, sender, block.piece);
  if (is_parent(sender) && block.last) parent_sent(block.to);
  send(sender);
}

void World::parent_sent(std::uint32_t node) {
  if (!ends_run(nodes_[node].runs_leaving)) return;
  --sending_;
  while (sending_ < shape_.sends && !waiting_.empty()) {
    Ask next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!give(next)) refuse(next);
  }
}

void World::arrived(std::uint32_t node, std::uint32_t from, std::uint32_t piece) {
  Node& self = nodes_[node];
  if (!self.has.has(piece)) {
    self.has.add(piece);
    if (++self.count == 1) firsts_.push_back(seconds(now_ - self.start));
    if (self.count == pieces_) {
      outcome_.seconds.push_back(seconds(now_ - self.start));
      ++done_;
    }
    events_.add(now_ + shape_.one_way, Happens::kAnnounced, node, 0, piece);
  }
  if (is_parent(from)) {
    if (!ends_run(self.runs_coming)) return;
    --self.asking;
    self.pause = {};
    return ask(node);
  }
  Neighbour& of = neighbour_of(node, from);
  --of.asked;
  --self.requested;
  self.heard_at = now_;
  request_rarest(node, of);
}

std::uint32_t World::bytes_of(std::uint32_t piece) const {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(piece_bytes_, shape_.blob_bytes - std::uint64_t{piece} * piece_bytes_));
}

World::Neighbour& World::neighbour_of(std::uint32_t node, std::uint32_t other) {
  return *std::ranges::find(nodes_[node].neighbours, other, &Neighbour::node);
}

bool World::knows(std::uint32_t node, std::uint32_t other) const {
  return std::ranges::find(nodes_[node].neighbours, other, &Neighbour::node) != nodes_[node].neighbours.end();
}

std::string World::site_of(std::uint32_t node) const { return "site-" + std::to_string(node % shape_.sites); }

}  // namespace wherry::bench
