#include "common/swarm/neighbourhood.h"

#include <algorithm>

namespace wherry::swarm {

std::vector<Neighbourhood::Member> Neighbourhood::join(const Member& member, Monotonic now) {
  leave(member.name);
  Site& site = sites_[member.site];
  const bool bridges = member.may_bridge && site.bridges < kBridges;
  std::vector<Member*> others;
  if (bridges) others = some_bridges(member.site, now);
  std::vector<Member*> looked_at = some_of(site.members, now);
  std::ranges::sort(looked_at, {}, &Member::known_by);
  const std::size_t wanted = !others.empty() ? kWantedByBridge : kWanted;
  const std::size_t lacks = member.known_by < wanted ? wanted - member.known_by : 0;
  looked_at.resize(std::min({looked_at.size(), kIntroduced, lacks}));
  std::vector<Member> chosen;
  for (Member* each : looked_at) {
    ++each->known_by;
    chosen.push_back(*each);
  }
  Member& own = members_[member.name] = member;
  own.heard_at = now;
  own.known_by += static_cast<std::uint32_t>(chosen.size());
  own.place = site.members.size();
  own.is_bridge = bridges;
  site.members.push_back(&own);
  if (!own.is_bridge) return chosen;
  for (Member* each : others) chosen.push_back(*each);
  if (!others.empty()) own.known_by += kWanted;  // so others of its site are introduced first
  ++site.bridges;
  bridges_.push_back(&own);
  return chosen;
}

/// Shuffles no more of the list than it looks at.
std::vector<Neighbourhood::Member*> Neighbourhood::some_of(std::vector<Member*>& site, Monotonic now) {
  std::vector<Member*> some;
  for (std::size_t i = 0; i < site.size() && some.size() < kLookedAt; ++i) {
    const std::size_t other = std::uniform_int_distribution(i, site.size() - 1)(random_);
    std::swap(site[i], site[other]);
    std::swap(site[i]->place, site[other]->place);
    if (now - site[i]->heard_at < kSilence) some.push_back(site[i]);
  }
  return some;
}

std::vector<Neighbourhood::Member*> Neighbourhood::some_bridges(const std::string& not_of, Monotonic now) {
  std::vector<Member*> others;
  for (Member* each : bridges_)
    if (each->site != not_of && now - each->heard_at < kSilence) others.push_back(each);
  std::vector<Member*> some;
  std::ranges::sample(others, std::back_inserter(some), kBridgesMet, random_);
  return some;
}

bool Neighbourhood::heard(const std::string& name, Monotonic now) {
  const auto found = members_.find(name);
  if (found == members_.end()) return false;
  found->second.heard_at = now;
  return true;
}

void Neighbourhood::has(const std::string& name, std::uint32_t pieces) {
  if (const auto found = members_.find(name); found != members_.end()) found->second.pieces = pieces;
}

void Neighbourhood::leave(const std::string& name) {
  const auto found = members_.find(name);
  if (found == members_.end()) return;
  const auto site = sites_.find(found->second.site);
  Site& of = site->second;
  Member* last = of.members.back();
  last->place = found->second.place;
  of.members[last->place] = last;
  of.members.pop_back();
  if (found->second.is_bridge) {
    --of.bridges;
    std::erase(bridges_, &found->second);
  }
  if (of.members.empty()) sites_.erase(site);
  members_.erase(found);
}

bool Neighbourhood::is_bridged(const std::string& site) const {
  const auto found = sites_.find(site);
  return found != sites_.end() && found->second.bridges > 0;
}

std::size_t Neighbourhood::forget_silent(Monotonic now) {
  std::vector<std::string> silent;
  for (const auto& [name, each] : members_)
    if (now - each.heard_at >= kSilence) silent.push_back(name);
  for (const std::string& name : silent) leave(name);
  return silent.size();
}

}  // namespace wherry::swarm
