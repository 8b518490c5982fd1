// World: a parent and its nodes, event by event, with the policies of common/swarm compiled in.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "bench/swarm/bits.h"
#include "bench/swarm/events.h"
#include "bench/swarm/shape.h"
#include "bench/swarm/uplink.h"
#include "common/swarm/neighbourhood.h"
#include "common/swarm/scatter.h"

namespace wherry::bench {

/// Links: a sender's blocks of 16 KiB take turns among its receivers; at a receiver they come one after the other, in
/// the order in which they were sent. No losses, no cost of checking, no TCP. Deterministic for a seed.
class World {
 public:
  explicit World(const Shape& shape);
  /// Until the last node has all.
  Outcome run();

 private:
  struct Neighbour {
    std::uint32_t node;
    bool far;                 // of another site
    std::uint32_t asked = 0;  // pieces on their way from it
  };
  struct Node {
    Node(std::uint64_t slots, std::size_t pieces)
        : up(slots), has(pieces), announced(pieces), taken(pieces), from_far(pieces), near(pieces), seen(pieces) {}
    Uplink up;
    Nanos down_free{};
    Bits has;
    Bits announced;  // of `has`: what its neighbours know of
    Bits taken;      // what it has or is being sent
    Bits from_far;   // what is, or was, being sent by another site
    swarm::Crossing crossing;
    std::vector<std::uint16_t> near;  // how many neighbours of its site have each piece
    std::vector<std::uint16_t> seen;  // and of all neighbours
    std::vector<Neighbour> neighbours;
    std::vector<std::uint32_t> to_meet;
    std::vector<std::uint32_t> runs_leaving;  // pieces left of its leases that the parent has to send
    std::vector<std::uint32_t> runs_coming;   // and that it has to receive
    std::uint32_t count = 0;
    std::uint32_t asking = 0;
    std::uint32_t requested = 0;  // pieces on their way from neighbours
    Nanos pause{};
    Nanos start{};
    Nanos heard_at{};  // the last piece from a neighbour
    Nanos join_pause{};
  };
  struct Ask {
    std::uint32_t node;
    swarm::PieceSet missing;
    bool starved;          // nothing was on its way to it
    bool crosses = false;  // it is to wait for other sites
  };

  void happen(const Event& event);
  void start(std::uint32_t node);
  void join(std::uint32_t node);
  void meet(std::uint32_t node);
  void connect(std::uint32_t one, std::uint32_t other);
  void ask(std::uint32_t node);
  void asked(std::uint32_t node);
  bool is_starved(const Node& node) const;
  bool give(Ask& ask);
  void refuse(const Ask& ask);
  void request_rarest(std::uint32_t node, Neighbour& of);
  void request(std::uint32_t node, Neighbour& of, std::uint32_t piece);
  void announced(std::uint32_t node, std::uint32_t piece);
  void send(std::uint32_t sender);
  void sent(std::uint32_t sender);
  void parent_sent(std::uint32_t node);
  void arrived(std::uint32_t node, std::uint32_t from, std::uint32_t piece);

  bool is_parent(std::uint32_t node) const { return node == shape_.nodes; }
  std::uint32_t bytes_of(std::uint32_t piece) const;
  Neighbour& neighbour_of(std::uint32_t node, std::uint32_t other);
  bool knows(std::uint32_t node, std::uint32_t other) const;
  std::string site_of(std::uint32_t node) const;
  Monotonic clock() const { return Monotonic(now_); }

  Shape shape_;
  std::uint32_t piece_bytes_;
  std::uint32_t pieces_;
  Nanos now_{};
  Events events_;
  std::mt19937_64 random_;
  std::vector<Node> nodes_;
  Uplink parent_up_;
  std::uint64_t sending_ = 0;
  std::deque<Ask> waiting_;
  swarm::Neighbourhood neighbourhood_;
  swarm::Scatter scatter_;
  std::vector<swarm::LeaseBoard> boards_;  // of each site
  std::uint64_t done_ = 0;
  std::uint64_t asks_this_second_ = 0;
  Nanos second_{};
  std::uint64_t parent_bytes_ = 0;
  Outcome outcome_;
  std::vector<double> firsts_;
};

}  // namespace wherry::bench
