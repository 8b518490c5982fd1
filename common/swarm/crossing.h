// Crossing: how quickly what the parent sent to other sites comes to a node's own.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace wherry::swarm {

/// As one node sees it that asks for leases: what it does not miss any more, though its site was never sent it, came
/// from another one. Nobody is told by others what to wait for. A plain value.
class Crossing {
 public:
  static constexpr std::chrono::seconds kMark{5};    ///< a rate is that of the last one or two of these
  static constexpr std::chrono::seconds kSoon{2};    ///< so long may be waited, and as long as it took to get there
  static constexpr int kTryShare = 4;                ///< of that time: what the parent sent was in the way until then
  static constexpr std::chrono::seconds kAgain{2};   ///< who waits asks again after so long
  static constexpr std::chrono::seconds kPause{20};  ///< who did not ask for so long begins anew

  /// It asks, and of what other sites alone were sent it has `near` pieces near. What it had near when it asked first
  /// did not come.
  void note(std::uint32_t near, Monotonic now);
  /// There is nothing left to send but pieces that were sent to other sites, of which it misses so many: whether to
  /// wait for them. When this is asked first after some came, the time is set by which all have to be there. It is
  /// tried for some of that time; after that they have to come at the rate that it takes.
  bool is_worth_waiting_for(std::uint32_t pieces, Monotonic now);

 private:
  struct Mark {
    Monotonic at{};
    std::uint32_t near = 0;
  };

  Monotonic began_at_{};
  Monotonic asked_at_{};  // {}: never
  Monotonic until_{};     // {}: it has not waited yet
  Monotonic tried_until_{};
  std::uint32_t near_ = 0;
  Mark last_;
  Mark before_;
};

}  // namespace wherry::swarm
