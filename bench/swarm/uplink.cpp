#include "bench/swarm/uplink.h"

#include <algorithm>
#include <utility>

namespace wherry::bench {

void Uplink::want(std::uint32_t to, std::uint32_t piece, std::uint32_t bytes) {
  const auto of_receiver = [&](const Lane& lane) { return lane.to == to; };
  if (const auto lane = std::ranges::find_if(active_, of_receiver); lane != active_.end())
    return lane->pieces.push_back({piece, bytes});
  if (const auto lane = std::ranges::find_if(waiting_, of_receiver); lane != waiting_.end())
    return lane->pieces.push_back({piece, bytes});
  Lane lane{to, {{piece, bytes}}};
  if (active_.size() < places_)
    active_.push_back(std::move(lane));
  else
    waiting_.push_back(std::move(lane));
}

std::optional<Uplink::Block> Uplink::begin() {
  if (active_.empty()) return std::nullopt;
  turn_ %= active_.size();
  Rest& rest = active_[turn_].pieces.front();
  const std::uint32_t bytes = std::min(rest.bytes, kBlockBytes);
  rest.bytes -= bytes;
  on_its_way_ = Block{active_[turn_].to, rest.piece, bytes, rest.bytes == 0};
  if (rest.bytes == 0)
    piece_ends();
  else
    ++turn_;
  return on_its_way_;
}

void Uplink::piece_ends() {
  Lane& lane = active_[turn_];
  lane.pieces.erase(lane.pieces.begin());
  if (waiting_.empty() && !lane.pieces.empty()) {
    ++turn_;
    return;
  }
  if (!lane.pieces.empty()) waiting_.push_back(std::move(lane));
  if (waiting_.empty()) {
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(turn_));
    return;
  }
  lane = std::move(waiting_.front());
  waiting_.pop_front();
  ++turn_;
}

Uplink::Block Uplink::end() {
  const Block block = *on_its_way_;
  on_its_way_.reset();
  return block;
}

}  // namespace wherry::bench
