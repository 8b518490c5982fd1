#include "common/swarm/crossing.h"

#include <algorithm>

namespace wherry::swarm {

void Crossing::note(const PieceSet& elsewhere, const PieceSet& missing, Monotonic now) {
  if (began_at_ == Monotonic{}) {
    began_at_ = now;
    last_.at = before_.at = now;
  }
  PieceSet came = elsewhere;
  came -= missing;
  came_ |= came;
  if (now - last_.at < kMark) return;
  before_ = last_;
  last_ = {now, came_.count()};
}

bool Crossing::is_worth_waiting_for(std::uint32_t pieces, Monotonic now) const {
  const std::uint32_t came = came_.count() - before_.count;
  if (came == 0) return false;
  const auto soon = std::clamp<Duration>(kTimesAsLong * (now - began_at_), kSoon, kLongest);
  return (now - before_.at) * pieces <= soon * came;
}

}  // namespace wherry::swarm
