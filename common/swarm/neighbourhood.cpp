#include "common/swarm/neighbourhood.h"

#include <algorithm>

namespace wherry::swarm {

std::vector<Neighbourhood::Member> Neighbourhood::join(const Member& member, Monotonic now) {
  std::vector<Member*> near;
  for (auto& [name, each] : members_)
    if (name != member.name && each.site == member.site && now - each.heard_at < kSilence) near.push_back(&each);
  std::shuffle(near.begin(), near.end(), random_);
  const std::size_t count = std::min(near.size(), kIntroduced);
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(count), near.end(),
                    [](const Member* a, const Member* b) { return a->known_by < b->known_by; });
  std::vector<Member> chosen;
  for (std::size_t i = 0; i < count; ++i) {
    ++near[i]->known_by;
    chosen.push_back(*near[i]);
  }
  Member& own = members_[member.name];
  own = member;
  own.heard_at = now;
  own.known_by = static_cast<std::uint32_t>(count);
  return chosen;
}

bool Neighbourhood::heard(const std::string& name, Monotonic now) {
  const auto found = members_.find(name);
  if (found == members_.end()) return false;
  found->second.heard_at = now;
  return true;
}

std::size_t Neighbourhood::forget_silent(Monotonic now) {
  return std::erase_if(members_, [&](const auto& entry) { return now - entry.second.heard_at >= kSilence; });
}

}  // namespace wherry::swarm
