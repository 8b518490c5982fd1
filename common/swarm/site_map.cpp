#include "common/swarm/site_map.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

namespace wherry::swarm {
namespace {

using nlohmann::ordered_json;

ordered_json holding_json(const SiteMap::Holding& holding) {
  return {{"gathering", holding.gathering},
          {"giving", holding.giving},
          {"held_bytes", holding.held_bytes},
          {"whole_bytes", holding.whole_bytes}};
}

void add_leases(ordered_json& to, std::uint64_t leased_bytes, std::uint64_t of_bytes) {
  to["leased_bytes"] = leased_bytes;
  to["copies"] = nullptr;
  if (leased_bytes > 0 && of_bytes > 0)
    to["copies"] = std::round(static_cast<double>(leased_bytes) / static_cast<double>(of_bytes) * 1000) / 1000;
}

}  // namespace

void SiteMap::Holding::add(const Holding& other) {
  gathering += other.gathering;
  giving += other.giving;
  held_bytes += other.held_bytes;
  whole_bytes += other.whole_bytes;
}

void SiteMap::member(Swarm& swarm, const std::string& site, const std::string& node, std::uint64_t held_bytes,
                     bool bridges) {
  const bool has_all = held_bytes >= swarm.size_bytes_;
  const Holding holding{.gathering = has_all ? 0U : 1U,
                        .giving = has_all ? 1U : 0U,
                        .held_bytes = held_bytes,
                        .whole_bytes = swarm.size_bytes_};
  swarm.all_.add(holding);
  swarm.sites_[site].holding.add(holding);
  Site& at = sites_[site];
  at.holding.add(holding);
  Node& shown = at.nodes[node];
  shown.holding.add(holding);
  if (bridges) ++shown.bridges;
}

void SiteMap::add(Swarm swarm) {
  if (swarm.all_.members() == 0) return;
  ++swarms_;
  const auto was_leased = [](const auto& entry) { return entry.second.leased_bytes > 0; };
  if (std::ranges::any_of(swarm.sites_, was_leased)) leased_of_bytes_ += swarm.size_bytes_;
  for (const auto& [name, part] : swarm.sites_) {
    Site& site = sites_[name];
    ++site.swarms;
    site.leased_bytes += part.leased_bytes;
    if (part.leased_bytes > 0) site.leased_of_bytes += swarm.size_bytes_;
  }
  listed_.push_back(std::move(swarm));
  if (listed_.size() < 2 * kMostSwarms) return;
  const auto last = listed_.begin() + kMostSwarms;
  std::ranges::nth_element(listed_, last, is_before);
  listed_.erase(last, listed_.end());
}

bool SiteMap::is_before(const Swarm& one, const Swarm& other) {
  const auto place = [](const Swarm& each) {
    return std::tuple(each.all_.gathering == 0, ~each.all_.members(), each.blob_);
  };
  return place(one) < place(other);
}

ordered_json SiteMap::to_json(const Swarm& swarm) {
  ordered_json listed = ordered_json::array();
  std::uint64_t leased_bytes = 0;
  for (const auto& [name, part] : swarm.sites_) {
    leased_bytes += part.leased_bytes;
    if (listed.size() == kMostSitesOfOne) continue;
    ordered_json site = {{"site", name}};
    site.update(holding_json(part.holding));
    add_leases(site, part.leased_bytes, swarm.size_bytes_);
    listed.push_back(std::move(site));
  }
  ordered_json shown = {
      {"digest", swarm.blob_.to_string()}, {"repository", swarm.repository_}, {"size_bytes", swarm.size_bytes_}};
  shown.update(holding_json(swarm.all_));
  add_leases(shown, leased_bytes, swarm.size_bytes_);
  shown["sites"] = {{"count", swarm.sites_.size()}, {"listed", std::move(listed)}};
  return shown;
}

ordered_json SiteMap::to_json() const {
  ordered_json sites = ordered_json::array();
  std::uint64_t nodes = 0;
  Site all;
  for (const auto& [name, each] : sites_) {
    nodes += each.nodes.size();
    all.holding.add(each.holding);
    all.leased_bytes += each.leased_bytes;
  }
  std::size_t room = kMostNodes;
  for (const auto& [name, each] : sites_) {
    if (sites.size() == kMostSites) break;
    ordered_json listed = ordered_json::array();
    for (const auto& [name_of_node, node] : each.nodes) {
      if (room == 0) break;
      --room;
      ordered_json shown = {{"name", name_of_node}};
      shown.update(holding_json(node.holding));
      shown["bridges"] = node.bridges;
      listed.push_back(std::move(shown));
    }
    ordered_json site = {{"site", name}, {"swarms", each.swarms}};
    site.update(holding_json(each.holding));
    add_leases(site, each.leased_bytes, each.leased_of_bytes);
    site["nodes"] = {{"count", each.nodes.size()}, {"listed", std::move(listed)}};
    sites.push_back(std::move(site));
  }
  std::vector<const Swarm*> order;
  for (const Swarm& swarm : listed_) order.push_back(&swarm);
  std::ranges::sort(order, [](const Swarm* one, const Swarm* other) { return is_before(*one, *other); });
  if (order.size() > kMostSwarms) order.resize(kMostSwarms);
  ordered_json swarms = ordered_json::array();
  for (const Swarm* swarm : order) swarms.push_back(to_json(*swarm));
  ordered_json totals = {{"swarms", swarms_}, {"sites", sites_.size()}, {"nodes", nodes}};
  totals.update(holding_json(all.holding));
  add_leases(totals, all.leased_bytes, leased_of_bytes_);
  return {{"totals", std::move(totals)},
          {"sites", {{"count", sites_.size()}, {"listed", std::move(sites)}}},
          {"swarms", {{"count", swarms_}, {"listed", std::move(swarms)}}}};
}

}  // namespace wherry::swarm
