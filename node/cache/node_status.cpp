#include "node/cache/node_status.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace wherry::node {
namespace {

using nlohmann::ordered_json;

/// As configuration names it; the parent has no name there.
std::string name_of(const Origin& origin) { return origin.options().name.empty() ? "parent" : origin.options().name; }

ordered_json cache_of(const CacheSpace& space) {
  const auto held = space.held();
  ordered_json cache = {
      {"bytes", held.bytes}, {"max_bytes", nullptr}, {"blobs", held.blobs}, {"manifests", held.manifests}};
  if (held.max_bytes) cache["max_bytes"] = *held.max_bytes;
  return cache;
}

ordered_json fills_of(const FillBoard& board) {
  auto [listed, all] = board.list(kMostListedFills);
  ordered_json fills = ordered_json::array();
  const auto now = Clock::system().monotonic();
  for (const auto& entry : listed) {
    const auto progress = entry.fill->progress();
    const double seconds = std::chrono::duration<double>(now - entry.since).count();
    ordered_json fill = {{"digest", entry.fill->digest().to_string()},
                         {"repository", entry.repository},
                         {"done_bytes", progress.done_bytes},
                         {"total_bytes", nullptr},
                         {"seconds", seconds},
                         {"bytes_per_second", seconds > 0 ? static_cast<double>(progress.done_bytes) / seconds : 0.0}};
    if (progress.size_bytes) fill["total_bytes"] = *progress.size_bytes;
    fills.push_back(std::move(fill));
  }
  return {{"count", all}, {"listed", std::move(fills)}};
}

std::uint64_t whole(double rate) { return static_cast<std::uint64_t>(std::llround(rate)); }

ordered_json swarms_of(const Swarms& swarms, const swarm::SiteMap& children) {
  const SharedBlobs blobs = swarms.list(kMostListedSwarms);
  ordered_json listed = ordered_json::array();
  for (const SharedBlob& blob : blobs.listed)
    listed.push_back({{"digest", blob.digest.to_string()},
                      {"repository", blob.repository},
                      {"state", blob.is_gathering ? "gathering" : "giving"},
                      {"since", to_rfc3339(blob.since)},
                      {"size_bytes", blob.size_bytes},
                      {"held_bytes", blob.held_bytes},
                      {"pieces", blob.pieces},
                      {"held_pieces", blob.held_pieces},
                      {"from_parent_bytes", blob.from_parent_bytes},
                      {"from_neighbours_bytes", blob.from_neighbours_bytes},
                      {"sent_bytes", blob.sent_bytes},
                      {"neighbours", blob.neighbours},
                      {"received_bytes_per_second", whole(blob.received_bytes_per_second)},
                      {"sent_bytes_per_second", whole(blob.sent_bytes_per_second)}});
  ordered_json shown = {{"listen", nullptr}, {"site", blobs.site}, {"count", blobs.count}};
  if (!blobs.listen.empty()) shown["listen"] = blobs.listen;
  shown["gathering"] = blobs.gathering;
  shown["listed"] = std::move(listed);
  shown["children"] = children.to_json();
  return shown;
}

ordered_json upstream_of(const Origin& origin) {
  const auto state = origin.calls().state();
  ordered_json upstream = {{"name", name_of(origin)}, {"url", origin.url()},   {"state", "not asked yet"},
                           {"since", nullptr},        {"last_error", nullptr}, {"last_error_at", nullptr}};
  if (state.up) {
    upstream["state"] = *state.up ? "up" : "down";
    upstream["since"] = to_rfc3339(state.since);
  }
  if (state.failure) {
    upstream["last_error"] = state.failure->message;
    upstream["last_error_at"] = to_rfc3339(state.failure->at);
  }
  upstream["manifests_left"] = nullptr;
  if (const auto left = origin.budget().manifests_left()) upstream["manifests_left"] = *left;
  upstream["blobs_waiting"] = origin.budget().waiting();
  ordered_json calls = ordered_json::object();
  for (std::size_t code = 0; code < CallRecord::kCodes.size(); ++code)
    if (const auto count = origin.calls().count(code); count > 0) calls[std::string(CallRecord::kCodes[code])] = count;
  upstream["calls"] = std::move(calls);
  return upstream;
}

}  // namespace

std::string node_report(const CacheSpace& space, const Follower& follower) {
  const ordered_json report = {
      {"version", WHERRY_VERSION}, {"cache", cache_of(space)}, {"feed", ordered_json::parse(follower.status())}};
  return report.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string node_status(const CacheSpace& space, const FillBoard& fills, const Swarms& swarms,
                        const swarm::SiteMap& children, const Upstreams& upstreams, const Follower& follower) {
  ordered_json listed = ordered_json::array();
  for (const Origin* origin : upstreams.all()) listed.push_back(upstream_of(*origin));
  const ordered_json status = {{"version", WHERRY_VERSION},      {"cache", cache_of(space)},
                               {"fills", fills_of(fills)},       {"swarms", swarms_of(swarms, children)},
                               {"upstreams", std::move(listed)}, {"feed", ordered_json::parse(follower.status())}};
  // An upstream's words are in it, and they need not be UTF-8.
  return status.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void name_node_metrics(Metrics& metrics, const CacheSpace& space, const FillBoard& fills, const Upstreams& upstreams) {
  for (const Origin* origin : upstreams.all()) {
    const std::string name = name_of(*origin);
    for (std::size_t code = 0; code < CallRecord::kCodes.size(); ++code)
      metrics.count_of("wherry_upstream_calls_total", "Requests to upstreams by what came of them",
                       {{"upstream", name}, {"code", std::string(CallRecord::kCodes[code])}},
                       [origin, code] { return origin->calls().count(code); });
    metrics.gauge("wherry_upstream_up",
                  "1 while an upstream answers or was not asked yet, 0 while it cannot be reached",
                  [origin] { return origin->calls().state().up.value_or(true) ? 1.0 : 0.0; }, {{"upstream", name}});
    metrics.gauge("wherry_upstream_manifests_left",
                  "Manifests that may still be fetched in this window; +Inf while nobody sets a limit",
                  [origin] {
                    const auto left = origin->budget().manifests_left();
                    return left ? static_cast<double>(*left) : std::numeric_limits<double>::infinity();
                  },
                  {{"upstream", name}});
    metrics.gauge("wherry_upstream_blobs_waiting", "Fetches of blobs that wait for their turn at an upstream",
                  [origin] { return static_cast<double>(origin->budget().waiting()); }, {{"upstream", name}});
  }
  metrics.gauge("wherry_fills", "Blobs that are being fetched",
                [&fills] { return static_cast<double>(fills.list(0).second); });
  metrics.gauge("wherry_cache_blobs", "Blobs that are held or promised",
                [&space] { return static_cast<double>(space.held().blobs); });
}

}  // namespace wherry::node
