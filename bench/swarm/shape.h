// What a simulated wave of pulls is made of, and what came of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace wherry::bench {

using Nanos = std::chrono::nanoseconds;

struct Shape {
  std::uint64_t nodes = 0;
  std::uint64_t sites = 1;
  std::uint64_t blob_bytes = 0;
  double node_rate = 0;     ///< bytes a second of each node's link, each way
  double parent_rate = 0;   ///< of the parent's, outwards
  std::uint64_t sends = 0;  ///< of the parent at a time
  std::uint64_t waiting =
      0;  ///< asks for a lease that the parent keeps until there is a send free; others are told to come again
  std::uint64_t asks = 0;      ///< leases that a node asks for at a time
  std::uint64_t run = 0;       ///< pieces of a lease at most
  std::uint64_t slots = 0;     ///< neighbours that a node sends to at a time
  std::uint64_t pipeline = 0;  ///< pieces that a node asks each neighbour for at a time
  Nanos one_way{};             ///< from any machine to any other
  Nanos come_again{};          ///< after an ask that was given nothing; doubles up to come_again_most
  Nanos come_again_most{};
  Nanos join_again{};  ///< until who knows too few asks to be introduced again; doubles; 0: never
  Nanos every{};       ///< a node starts; 0: all at once
  std::uint64_t seed = 0;
};

struct Outcome {
  std::vector<double> seconds;    ///< of each node from its start to its last piece, sorted
  double first_piece_median = 0;  ///< seconds
  double copies = 0;              ///< bytes that left the parent over the blob's
  std::uint64_t again = 0;        ///< leases of pieces that had been given before
  std::uint64_t twice = 0;        ///< pieces that came to a node both ways
  std::uint64_t asks = 0;         ///< for leases, that reached the parent
  std::uint64_t asks_peak = 0;    ///< in the second that had most
  std::uint64_t joins = 0;        ///< introductions
  std::uint64_t neighbours_most = 0;
  std::uint64_t events = 0;
};

}  // namespace wherry::bench
