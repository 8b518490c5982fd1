#include "node/cache/node.h"

#include "common/swarm/introduction.h"

namespace wherry::node {

Task<Result<void>> Node::start(Daemon& daemon) {
  FollowOptions follow = options_.registries.follow;
  auto upstreams = Upstreams::make(options_.registries, daemon.loops());
  if (!upstreams) co_return upstreams.error();
  upstreams_ = std::move(*upstreams);
  registry::StorageOptions with;
  with.directory = options_.data;
  with.loops = daemon.loops().size();
  with.low_water_bytes = options_.low_water_bytes;
  with.on_fatal = [](const Error& error) { Daemon::die(error); };
  auto storage = co_await registry::Storage::open(std::move(with), daemon.disk(), daemon.metrics());
  if (!storage) co_return storage.error();
  storage_ = std::move(*storage);
  storage_->start();
  const auto& loops = daemon.loops();
  Metrics& metrics = daemon.metrics();
  names_ = std::make_unique<registry::NameStore>(storage_->names());
  checked_ = std::make_unique<registry::CheckedBlobs>(*storage_, *names_, store::Fate::kDrop, Loop::current(), metrics);
  space_ = std::make_unique<CacheSpace>(*storage_, options_.cache, loops, metrics);
  auto loaded = co_await space_->load();
  if (!loaded) {
    co_await storage_->stop();
    co_return loaded;
  }
  space_->start();
  checked_->on_set_aside([space = space_.get()](const Digest& digest) { space->lost(digest); });
  scrubber_ = std::make_unique<registry::Scrubber>(*storage_, *checked_, options_.scrub_round, metrics);
  scrubber_->start();
  co_await upstreams_->open();
  const std::string join_token = follow.join;
  if (follow.key.empty() && !join_token.empty())
    if (const auto token = JoinToken::parse(join_token)) follow.key = token->feed_key;
  followed_ = std::make_unique<FollowedNames>(storage_->names());
  vouchers_ = std::make_unique<Vouchers>(storage_->names(), follow.key, *upstreams_, *followed_);
  swarm::Vouch vouch = [vouchers = vouchers_.get()](RepositoryName repository, swarm::SharedTorrent torrent) {
    return vouchers->ask(std::move(repository), std::move(torrent));
  };
  torrents_ = std::make_unique<swarm::TorrentBook>(*storage_, std::move(vouch), loops);
  swarms_ = std::make_unique<Swarms>(options_.swarm, *vouchers_, *torrents_, daemon.disk(), loops, metrics);
  holdings_ = std::make_unique<Holdings>(*storage_, *upstreams_, *swarms_, options_.swarm);
  space_->on_gone([swarms = swarms_.get(), holdings = holdings_.get()](const Digest& digest) {
    swarms->drop(digest);
    holdings->remove(digest);
  });
  fills_ = std::make_unique<Fills>(*storage_, *space_, *upstreams_, negatives_, *swarms_, loops, metrics);
  fills_->on_stored(
      [holdings = holdings_.get()](const Digest& digest, std::uint64_t size) { holdings->add(digest, size); });
  prefetch_ = std::make_unique<Prefetch>(*upstreams_, *fills_, loops);
  policy_ = std::make_unique<registry::PolicyKeeper>(storage_->names());
  publisher_ = std::make_unique<feed::Publisher>(loops);
  const bool follows = upstreams_->parent() != nullptr && follow.enabled;
  membership_ = std::make_unique<Membership>(options_.data, parent_url(*upstreams_), feed_client_options(*upstreams_),
                                             storage_->names(), daemon.disk(),
                                             [this] { return node_report(*space_, *follower_); });
  follower_ = std::make_unique<Follower>(*storage_, *space_, *upstreams_, std::move(follow), *followed_, *policy_,
                                         *publisher_, *membership_, metrics);
  catalog_ = std::make_unique<NodeCatalog>(*storage_, *space_, *names_, *followed_, *upstreams_, options_.freshness,
                                           negatives_, *prefetch_, loops, metrics);
  Prefetch::Get get = [this](RepositoryName of, Digest digest) {
    return catalog_->held_or_fetched(std::move(of), digest);
  };
  fill_ahead_ = std::make_unique<FillAhead>(
      storage_->names(), *prefetch_, std::move(get), [this] { return membership_->name(); }, metrics);
  follower_->on_applied([this](const feed::Change& change) { fill_ahead_->applied(change); });
  blobs_ = std::make_unique<NodeBlobs>(*storage_, *space_, *names_, *checked_, *upstreams_, *fills_, metrics);
  auto access = co_await start_access(daemon, follows);
  if (!access) {
    co_await stop();
    co_return access;
  }
  auth::Gate& gate = access_ ? access_->gate() : open_;
  service_ = std::make_unique<NodeService>(*catalog_, *blobs_, gate, metrics, *upstreams_, *membership_);
  using registry::Endpoint;
  metrics.name_sources({static_cast<std::uint8_t>(Endpoint::kManifest), static_cast<std::uint8_t>(Endpoint::kBlob)});
  name_node_metrics(metrics, *space_, fills_->board(), *upstreams_);
  feed_ = std::make_unique<feed::FeedService>(storage_->names(), *publisher_, *follower_, *membership_);
  auto swarming = co_await start_swarms(daemon);
  if (!swarming) {
    co_await stop();
    co_return swarming;
  }
  router_ = std::make_unique<http::Router>(*service_);
  router_->add(std::string(swarm::kPrefix), *introducer_);
  if (access_) router_->add(std::string(auth::TokenGate::kTokenPath), access_->tokens());
  router_->add(std::string(Membership::kPrefix), *membership_);
  router_->add(std::string(feed::FeedService::kPrefix), *feed_);
  auto following = co_await start_following(join_token);
  if (!following) co_await stop();
  co_return following;
}

Task<Result<void>> Node::start_access(Daemon& daemon, bool follows) {
  if (follows)
    upstreams_->sign_for_parent([membership = membership_.get()](std::string_view method, std::string_view target) {
      return membership->authorization(method, target, {});
    });
  if (options_.is_open) co_return Result<void>();
  access_ =
      std::make_unique<Access>(options_.data, options_.access, follows ? parent_url(*upstreams_) : std::string(),
                               feed_client_options(*upstreams_), storage_->names(), *policy_, *followed_, *membership_);
  co_return co_await access_->start(daemon.disk(), daemon.loops());
}

Task<Result<void>> Node::start_swarms(Daemon& daemon) {
  const std::string& data = options_.data;
  auto authority =
      co_await daemon.disk().run([&] { return auth::NodeAuthority::load_or_make(swarm::authority_file(data)); });
  if (!authority) co_return authority.error();
  swarm::NodeOf node_of = [membership = membership_.get()](const http::Request& request) {
    return membership->identity(request);
  };
  introducer_ = std::make_unique<swarm::Introducer>(*storage_, *blobs_, *torrents_, swarms_.get(), std::move(node_of),
                                                    std::move(*authority), options_.swarm.introducer, daemon.loops(),
                                                    daemon.metrics());
  service_->invite_to(*introducer_);
  membership_->on_revoked([introducer = introducer_.get(), swarms = swarms_.get()] {
    introducer->end_all();
    swarms->leave_all();
  });
  co_return co_await swarms_->start();
}

Task<Result<void>> Node::start_following(const std::string& join_token) {
  std::function<void()> joined = [this] { follower_->reconnect(); };
  auto member = co_await membership_->start(join_token, std::move(joined));
  if (!member) co_return member;
  auto ahead = co_await fill_ahead_->start();
  if (!ahead) co_return ahead;
  holdings_->start();
  co_return co_await follower_->start();
}

Task<std::string> Node::status() {
  const swarm::SiteMap children = co_await introducer_->site_map();
  co_return node_status(*space_, fills_->board(), *swarms_, children, *upstreams_, *follower_);
}

Task<void> Node::stop() {
  co_await membership_->stop();
  co_await follower_->stop();
  if (access_) co_await access_->stop();
  swarms_->cancel();
  holdings_->cancel();
  co_await upstreams_->cancel();
  co_await fill_ahead_->stop();
  co_await prefetch_->stop();
  co_await fills_->stop();
  co_await holdings_->stop();
  co_await swarms_->stop();
  co_await torrents_->stop();
  co_await catalog_->stop();
  co_await scrubber_->stop();
  co_await checked_->stop();
  co_await space_->stop();
  co_await upstreams_->close();
  co_await storage_->stop();
}

}  // namespace wherry::node
