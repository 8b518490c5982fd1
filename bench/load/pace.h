// How a load is put on: by so many clients at once, as fast as they are answered or at a constant rate.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/load/connection.h"
#include "bench/load/histogram.h"

namespace wherry::bench {

/// One of the clients, with its connections; it makes more when it asks for them.
class Client {
 public:
  explicit Client(const Target& target) : target_(target) {}
  Connection& connection(std::size_t index = 0) {
    while (connections_.size() <= index) connections_.push_back(std::make_unique<Connection>(target_));
    return *connections_[index];
  }

 private:
  const Target& target_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

/// What one operation came to; a wrong body or an answer that was not wanted is an error instead.
struct Done {
  std::uint64_t bytes = 0;
  Duration first_byte{};
};

/// Does the operation of that number, of which the others are done by other clients.
using Operation = std::function<Task<Result<Done>>(Client& client, std::uint64_t number)>;

struct Pace {
  std::uint64_t clients = 1;
  std::uint64_t requests = 100;  ///< of all clients together
  double per_second = 0;         ///< 0: closed loop, each client begins the next when it has its answer
};

/// What all clients did. In an open loop an operation lasts from when it was due, so waiting for a free client counts
/// (otherwise a server that stalls hides most of what its clients would have waited).
struct Tally {
  Histogram whole;
  Histogram first_byte;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  Duration took{};
};

/// Runs on the current loop.
Task<void> run_paced(const Target& target, const Pace& pace, const Operation& operation, Tally& tally);

}  // namespace wherry::bench
