#include "common/swarm/crossing.h"

#include <algorithm>

namespace wherry::swarm {

void Crossing::note(std::uint32_t near, Monotonic now) {
  near_ = std::max(near_, near);  // who has waited long for a neighbour's piece asks for it all the same
  if (asked_at_ == Monotonic{} || now - asked_at_ >= kPause) {
    began_at_ = now;
    until_ = {};
    near_ = near;
    last_ = before_ = {now, near};
  }
  asked_at_ = now;
  if (now - last_.at < kMark) return;
  before_ = last_;
  last_ = {now, near_};
}

bool Crossing::is_worth_waiting_for(std::uint32_t pieces, Monotonic now) {
  const bool some_came = near_ > before_.near;
  if (until_ == Monotonic{}) {
    if (!some_came) return false;
    const Duration took = std::max<Duration>(kSoon, now - began_at_);
    until_ = now + took;
    tried_until_ = now + std::min<Duration>(kMark, took / kTryShare);
    last_ = before_ = {now, near_};
  }
  if (now >= until_) return false;
  if (now < tried_until_) return true;
  const double came = near_ - before_.near;
  const std::chrono::duration<double> taken = now - before_.at;
  const std::chrono::duration<double> left = until_ - now;
  return some_came && taken * pieces <= left * came;
}

}  // namespace wherry::swarm
