// What a node does just now, for /status.json and the metrics that are read out of other rooms.
#pragma once

#include <string>

#include "common/observe/metrics.h"
#include "common/swarm/site_map.h"
#include "node/eviction/cache_space.h"
#include "node/fill/fill_board.h"
#include "node/follow/follower.h"
#include "node/swarm/swarms.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// Fills that are listed; the rest is a number.
inline constexpr std::size_t kMostListedFills = 64;
/// The same of blobs that are shared.
inline constexpr std::size_t kMostListedSwarms = 64;

/// One JSON object: `cache`, `fills`, `swarms` (what this node shares with its neighbours, and as `children` what those
/// below it share), `upstreams`, `feed`. No I/O, and short locks only.
std::string node_status(const CacheSpace& space, const FillBoard& fills, const Swarms& swarms,
                        const swarm::SiteMap& children, const Upstreams& upstreams, const Follower& follower);

/// What a node tells its parent of itself: `version`, `cache`, `feed`. One JSON object.
std::string node_report(const CacheSpace& space, const Follower& follower);

/// wherry_upstream_calls_total{upstream,code}, wherry_upstream_up{upstream},
/// wherry_upstream_manifests_left{upstream}, wherry_upstream_blobs_waiting{upstream}, wherry_fills, wherry_cache_blobs.
/// All that is given outlives the last reading of the metrics.
void name_node_metrics(Metrics& metrics, const CacheSpace& space, const FillBoard& fills, const Upstreams& upstreams);

}  // namespace wherry::node
