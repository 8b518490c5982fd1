// Crossing: how quickly a site gets from other sites what the parent did not send to it.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/clock.h"
#include "common/swarm/piece_set.h"

namespace wherry::swarm {

/// Seen by what those who ask for leases do not miss any more. Of one loop.
class Crossing {
 public:
  static constexpr std::chrono::seconds kMark{5};  ///< a rate is that of the last one or two of these
  /// What is to come is waited for when it comes within this, or within so many times as long as the site has asked.
  static constexpr std::chrono::seconds kSoon{15};
  static constexpr int kTimesAsLong = 4;
  static constexpr std::chrono::minutes kLongest{10};

  explicit Crossing(std::uint32_t pieces) : came_(pieces) {}

  /// Somebody of the site asks: `elsewhere`: what other sites alone were given; `missing`: what nobody near him has.
  void note(const PieceSet& elsewhere, const PieceSet& missing, Monotonic now);
  /// Whether so many pieces more will come soon enough, as it goes now. False when none came yet, or lately.
  bool is_worth_waiting_for(std::uint32_t pieces, Monotonic now) const;
  /// Pieces that came.
  std::uint32_t count() const { return came_.count(); }

 private:
  struct Mark {
    Monotonic at{};
    std::uint32_t count = 0;
  };

  PieceSet came_;
  Monotonic began_at_{};  // {}: nobody has asked yet
  Mark last_;
  Mark before_;
};

}  // namespace wherry::swarm
