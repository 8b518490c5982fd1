// Node: the role that stands near the machines that pull.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/daemon/daemon.h"
#include "common/feed/feed_service.h"
#include "common/http/router.h"
#include "common/registry/policy_keeper.h"
#include "common/registry/scrubber.h"
#include "common/swarm/introducer.h"
#include "node/access/access.h"
#include "node/cache/fill_ahead.h"
#include "node/cache/node_blobs.h"
#include "node/cache/node_catalog.h"
#include "node/cache/node_service.h"
#include "node/cache/node_status.h"
#include "node/eviction/cache_space.h"
#include "node/fill/fills.h"
#include "node/follow/follower.h"
#include "node/swarm/holdings.h"
#include "node/swarm/swarms.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

struct NodeOptions {
  std::string data;
  Registries registries;
  Freshness freshness;
  std::chrono::milliseconds scrub_round{std::chrono::hours(24 * 7)};  ///< scrub.round
  std::optional<std::uint64_t> low_water_bytes;                       ///< space.low-water-bytes
  CacheOptions cache;                                                 ///< cache
  bool is_open = false;                                               ///< --insecure-open
  AccessOptions access;                                               ///< access
  SwarmOptions swarm;                                                 ///< swarm
};

class Node final : public Role {
 public:
  explicit Node(NodeOptions options) : options_(std::move(options)) {}

  Task<Result<void>> start(Daemon& daemon) override;
  http::Service& service() override { return *router_; }
  Task<std::string> status() override;
  void drain() override {
    publisher_->end();
    introducer_->drain();
  }
  Task<void> cut() override {
    swarms_->cancel();
    return upstreams_->cancel();
  }
  Task<void> stop() override;

 private:
  Task<Result<void>> start_access(Daemon& daemon, bool follows);
  Task<Result<void>> start_swarms(Daemon& daemon);
  Task<Result<void>> start_following(const std::string& join_token);

  NodeOptions options_;
  std::unique_ptr<registry::Storage> storage_;
  std::unique_ptr<registry::NameStore> names_;
  std::unique_ptr<registry::CheckedBlobs> checked_;
  std::unique_ptr<CacheSpace> space_;
  std::unique_ptr<registry::Scrubber> scrubber_;
  std::unique_ptr<Upstreams> upstreams_;
  Negatives negatives_;
  std::unique_ptr<Prefetch> prefetch_;
  std::unique_ptr<FollowedNames> followed_;
  std::unique_ptr<Vouchers> vouchers_;
  std::unique_ptr<swarm::TorrentBook> torrents_;
  std::unique_ptr<Swarms> swarms_;
  std::unique_ptr<Holdings> holdings_;
  std::unique_ptr<swarm::Introducer> introducer_;
  std::unique_ptr<Fills> fills_;
  std::unique_ptr<NodeCatalog> catalog_;
  std::unique_ptr<FillAhead> fill_ahead_;
  std::unique_ptr<NodeBlobs> blobs_;
  auth::OpenGate open_;
  std::unique_ptr<Access> access_;  // null where everybody may do everything
  std::unique_ptr<NodeService> service_;
  std::unique_ptr<registry::PolicyKeeper> policy_;
  std::unique_ptr<feed::Publisher> publisher_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<feed::FeedService> feed_;
  std::unique_ptr<http::Router> router_;
};

}  // namespace wherry::node
