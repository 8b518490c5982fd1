#include "master/role/master.h"

#include "common/base/log.h"
#include "common/feed/key_records.h"
#include "common/swarm/introduction.h"

namespace wherry::master {
namespace {

constexpr std::chrono::minutes kExpiryRound{10};

Task<Result<std::string>> vouch_for(const Authority& authority, swarm::SharedTorrent torrent) {
  const std::string blob = torrent->blob().to_string();
  const auto before = feed::SignedRoot::decode(blob, torrent->size(), torrent->root(), torrent->voucher());
  if (before && before->key_id == authority.public_key().id()) co_return torrent->voucher();
  co_return authority.sign_root(blob, torrent->size(), torrent->root()).encode();
}

}  // namespace

Task<Result<void>> Master::start(Daemon& daemon) {
  registry::StorageOptions with;
  with.directory = options_.data;
  with.loops = daemon.loops().size();
  with.low_water_bytes = options_.low_water_bytes;
  with.on_fatal = [](const Error& error) { Daemon::die(error); };
  auto storage = co_await registry::Storage::open(std::move(with), daemon.disk(), daemon.metrics());
  if (!storage) co_return storage.error();
  storage_ = std::move(*storage);
  storage_->start();
  names_ = std::make_unique<registry::NameStore>(storage_->names());
  checked_ = std::make_unique<registry::CheckedBlobs>(*storage_, *names_, store::Fate::kQuarantine, Loop::current(),
                                                      daemon.metrics());
  scrubber_ = std::make_unique<registry::Scrubber>(*storage_, *checked_, options_.scrub_round, daemon.metrics());
  scrubber_->start();
  blobs_ = std::make_unique<MasterBlobs>(*names_, *checked_);
  sessions_ = std::make_unique<UploadSessions>(*storage_, Clock::system());
  replication_ = std::make_unique<replication::Replication>(*storage_, *names_, *blobs_, *sessions_, daemon.metrics());
  auto feed = co_await start_feed(daemon);
  if (!feed) {
    co_await stop();
    co_return feed;
  }
  options_.audit.on_fatal = [](const Error& error) { Daemon::die(error); };
  auto audit = co_await audit::AuditLog::open(audit::audit_folder(options_.data), options_.audit, daemon.disk(),
                                              daemon.metrics());
  if (!audit) {
    co_await stop();
    co_return audit.error();
  }
  audit_ = std::move(*audit);
  node_service_ = std::make_unique<NodeService>(*nodes_, *audit_);
  auto access = co_await start_access(daemon);
  if (!access) {
    co_await stop();
    co_return access;
  }
  auth::Gate& gate = identities_ ? identities_->gate() : open_;
  push_ = std::make_unique<PushService>(*storage_, *names_, *blobs_, *sessions_, gate,
                                        identities_ ? audit_.get() : nullptr, daemon.metrics());
  api_ = std::make_unique<api::Api>(Loop::current(), gate, daemon.metrics());
  api_->audit_to(*audit_);
  identity::add_audit_endpoints(*api_, daemon.disk(), audit_->folder());
  if (identities_) identities_->add_to(*api_);
  auto swarming = co_await start_swarms(daemon);
  if (!swarming) {
    co_await stop();
    co_return swarming;
  }
  add_node_endpoints(*api_, *nodes_, [this] {
    authority_->wake_streams();
    introducer_->end_all();
  });
  add_fill_ahead_endpoints(*api_, storage_->names());
  add_swarm_endpoints(*api_, *introducer_);
  replication_->add_to(*api_);
  router_ = std::make_unique<http::Router>(*push_);
  if (identities_) identities_->add_to(*router_);
  if (oidc_service_) router_->add(std::string(identity::oidc::OidcService::kPrefix), *oidc_service_);
  router_->add(std::string(NodeService::kPrefix), *node_service_);
  router_->add(std::string(swarm::kPrefix), *introducer_);
  router_->add(std::string(feed::FeedService::kPrefix), *feed_);
  router_->add(std::string(api::Api::kPrefix), *api_);
  auto replicating = co_await replication_->start();
  if (!replicating) {
    co_await stop();
    co_return replicating;
  }
  scope_.spawn(expire_uploads());
  co_return Result<void>();
}

Task<Result<void>> Master::start_feed(Daemon& daemon) {
  const std::string& data = options_.data;
  auto key = co_await daemon.disk().run([&] { return feed::SigningKey::load_or_make(key_file(data)); });
  if (!key) co_return key.error();
  auto node_authority =
      co_await daemon.disk().run([&] { return auth::NodeAuthority::load_or_make(data + "/node-ca.pem"); });
  if (!node_authority) co_return node_authority.error();
  publisher_ = std::make_unique<feed::Publisher>(daemon.loops());
  authority_ = std::make_unique<Authority>(storage_->names(), std::move(*key), options_.feed_keep_entries, *publisher_,
                                           Clock::system(), daemon.metrics());
  authority_->on_published([this] { replication_->wake(); });
  auto signing = co_await authority_->start();
  if (!signing) co_return signing;
  auto root = co_await feed::root_key(storage_->names());
  if (!root) co_return root.error();
  nodes_ = std::make_unique<NodeBook>(storage_->names(), std::move(*node_authority), root->to_hex(),
                                      options_.feed_registered_only, Clock::system());
  auto loaded = co_await nodes_->load();
  if (!loaded) co_return loaded;
  feed_ = std::make_unique<feed::FeedService>(storage_->names(), *publisher_, *authority_, *nodes_);
  daemon.metrics().gauge("wherry_feed_streams", "Followers that read the feed",
                         [this] { return static_cast<double>(feed_->streams()); });
  co_return Result<void>();
}

Task<Result<void>> Master::start_swarms(Daemon& daemon) {
  const std::string& data = options_.data;
  auto authority =
      co_await daemon.disk().run([&] { return auth::NodeAuthority::load_or_make(swarm::authority_file(data)); });
  if (!authority) co_return authority.error();
  swarm::NodeOf node_of = [nodes = nodes_.get()](const http::Request& request) { return nodes->identity(request); };
  swarm::Vouch vouch = [authority = authority_.get()](RepositoryName, swarm::SharedTorrent torrent) {
    return vouch_for(*authority, std::move(torrent));
  };
  torrents_ = std::make_unique<swarm::TorrentBook>(*storage_, std::move(vouch), daemon.loops());
  introducer_ =
      std::make_unique<swarm::Introducer>(*storage_, *blobs_, *torrents_, nullptr, std::move(node_of),
                                          std::move(*authority), options_.swarm, daemon.loops(), daemon.metrics());
  push_->invite_to(*introducer_);
  co_return Result<void>();
}

Task<Result<void>> Master::start_access(Daemon& daemon) {
  if (options_.is_open) co_return Result<void>();
  identities_ = std::make_unique<identity::Identities>(options_.data, options_.access, storage_->names(), *audit_,
                                                       Clock::system());
  auth::NodeCheck nodes = [this](const http::Exchange& exchange) { return nodes_->identity(exchange.request()); };
  auth::NodeSigner signer = [this](const http::Request& request, std::string_view body) {
    auto node = nodes_->who(request, body);
    if (!node || !*node) return std::string();
    return std::move(**node);
  };
  auto started = co_await identities_->start(daemon.disk(), std::move(nodes), std::move(signer), daemon.loops());
  if (!started || !options_.oidc) co_return started;
  oidc_ = std::make_unique<identity::oidc::OidcProvider>(*options_.oidc, Clock::system());
  oidc_service_ = std::make_unique<identity::oidc::OidcService>(
      *oidc_, identities_->logins(), identities_->issuer(),
      identity::oidc::OidcService::Place{options_.access.url, options_.access.speaks_tls});
  co_return started;
}

Task<void> Master::stop() {
  if (oidc_) oidc_->stop();
  stopping_ = true;
  sleeper_.wake();
  co_await replication_->stop();
  co_await scope_.join();
  if (torrents_) co_await torrents_->stop();
  if (authority_) co_await authority_->stop();
  co_await scrubber_->stop();
  co_await checked_->stop();
  audit_.reset();
  co_await storage_->stop();
}

Task<void> Master::expire_uploads() {
  while (!stopping_) {
    auto ended = co_await sessions_->expire(options_.upload_expiry);
    if (!ended)
      log::warn("abandoned uploads could not be removed", {{"error", ended.error().to_string()}});
    else if (*ended > 0)
      log::info("abandoned uploads were removed", {{"count", std::to_string(*ended)}});
    Result<void> swept;
    if (identities_) swept = co_await identities_->expire();
    if (!swept) log::warn("sessions that are over could not be removed", {{"error", swept.error().to_string()}});
    if (stopping_) break;
    co_await sleeper_.sleep(kExpiryRound);
  }
}

}  // namespace wherry::master
