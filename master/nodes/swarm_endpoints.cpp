#include "master/nodes/swarm_endpoints.h"

namespace wherry::master {
namespace {

using api::Answer;
using api::Call;
using api::Json;
using swarm::SiteMap;

Json whole_number() { return {{"type", "integer"}, {"minimum", 0}}; }
Json words() { return {{"type", "string"}}; }

/// How many take part, and what they have.
Json with_holding(Json properties) {
  for (const char* const member : {"gathering", "giving", "held_bytes", "whole_bytes"})
    properties[member] = whole_number();
  return properties;
}

/// The same, with what left the master for them.
Json with_leases(Json properties) {
  properties = with_holding(std::move(properties));
  properties["leased_bytes"] = whole_number();
  properties["copies"] = {{"type", Json::array({"number", "null"})},
                          {"description", "leased_bytes over the sizes of what those are of"}};
  return properties;
}

Json object_of(Json properties) { return {{"type", "object"}, {"properties", std::move(properties)}}; }

/// How many there are, and the first of them.
Json listed(Json items, std::size_t most) {
  Json list = api::list_of(std::move(items));
  list["maxItems"] = most;
  return object_of({{"count", whole_number()}, {"listed", std::move(list)}});
}

Json map_schema() {
  Json node = with_holding({{"name", words()}});
  node["bridges"] = whole_number();
  node["bridges"]["description"] = "swarms in which it meets nodes of other sites";
  Json site = with_leases({{"site", words()}, {"swarms", whole_number()}});
  site["nodes"] = listed(object_of(std::move(node)), SiteMap::kMostNodes);
  const Json at_site = object_of(with_leases({{"site", words()}}));
  Json swarm = with_leases({{"digest", words()}, {"repository", words()}, {"size_bytes", whole_number()}});
  swarm["sites"] = listed(at_site, SiteMap::kMostSitesOfOne);
  const Json totals =
      object_of(with_leases({{"swarms", whole_number()}, {"sites", whole_number()}, {"nodes", whole_number()}}));
  return object_of({{"totals", totals},
                    {"sites", listed(object_of(std::move(site)), SiteMap::kMostSites)},
                    {"swarms", listed(object_of(std::move(swarm)), SiteMap::kMostSwarms)}});
}

Task<Result<Answer>> show_swarms(swarm::Introducer& introducer) {
  const SiteMap map = co_await introducer.site_map();
  co_return Answer(map.to_json());
}

}  // namespace

void add_swarm_endpoints(api::Api& api, swarm::Introducer& introducer) {
  api.add_schema("SiteMap", map_schema());
  api.add({.method = "GET",
           .path = "/api/v1/swarms",
           .id = "showSwarms",
           .tag = "nodes",
           .summary = "Which nodes share large blobs, site by site, what each last said that it has (every 10 s), and "
                      "how many copies left this master",
           .response = api::ref("SiteMap"),
           .handler = [&introducer](const Call&) { return show_swarms(introducer); }});
}

}  // namespace wherry::master
