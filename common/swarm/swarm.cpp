#include "common/swarm/swarm.h"

#include <algorithm>

#include "common/base/random.h"

namespace wherry::swarm {

Swarm::Swarm(SharedTorrent of, std::uint64_t in_epoch)
    : torrent(std::move(of)),
      epoch(in_epoch),
      name(random_hex(16)),
      neighbours(std::hash<std::string>()(name)),
      scatter(torrent->pieces()) {}

std::string Swarm::site_for(const std::string& named) {
  const bool has_room = sites.contains(named) || sites.size() < kMostSites;
  return sites.try_emplace(has_room ? named : std::string(), torrent->pieces()).first->first;
}

void Swarm::leave(const std::string& shown) {
  const auto found = members.find(shown);
  if (found == members.end()) return;
  neighbours.leave(found->second.node);
  members.erase(found);
}

void Swarm::forget_silent(Monotonic now) {
  neighbours.forget_silent(now);
  std::erase_if(members, [&](const auto& each) { return !neighbours.members().contains(each.second.node); });
}

std::uint32_t Swarm::most_for(Member& member, Monotonic now) {
  const std::size_t asking = askers.count(member.asked_in, now);
  const std::uint64_t bytes = asking >= 4 ? 0 : kMostLeaseBytes / (asking * asking);
  const auto pieces = static_cast<std::uint32_t>(bytes / torrent->piece_bytes());
  return std::max<std::uint32_t>(1, std::min(pieces, member.given / kGrowth));
}

}  // namespace wherry::swarm
