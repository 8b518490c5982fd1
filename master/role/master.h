// Master: the role that holds the truth.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/daemon/daemon.h"
#include "common/feed/feed_service.h"
#include "common/http/router.h"
#include "common/registry/scrubber.h"
#include "common/swarm/introducer.h"
#include "master/api/api.h"
#include "master/feed/authority.h"
#include "master/identity/identities.h"
#include "master/identity/oidc/service.h"
#include "master/nodes/endpoints.h"
#include "master/nodes/fill_ahead_endpoints.h"
#include "master/nodes/node_service.h"
#include "master/nodes/swarm_endpoints.h"
#include "master/registry/master_blobs.h"
#include "master/registry/push_service.h"
#include "master/registry/upload_sessions.h"
#include "master/replication/replication.h"

namespace wherry::master {

struct MasterOptions {
  std::string data;
  std::chrono::milliseconds upload_expiry{std::chrono::hours(24 * 7)};  ///< uploads.expire-after
  std::chrono::milliseconds scrub_round{std::chrono::hours(24 * 7)};    ///< scrub.round
  std::optional<std::uint64_t> low_water_bytes;                         ///< space.low-water-bytes
  std::uint64_t feed_keep_entries = 1'000'000;                          ///< feed.keep-entries
  bool feed_registered_only = false;                                    ///< feed.registered-only
  bool is_open = false;                                                 ///< --insecure-open
  audit::AuditOptions audit;                                            ///< audit
  std::optional<identity::oidc::OidcOptions> oidc;                      ///< oidc
  identity::AccessOptions access;                                       ///< access
  swarm::IntroducerOptions swarm;                                       ///< swarm
};

class Master final : public Role {
 public:
  explicit Master(MasterOptions options) : options_(std::move(options)) {}

  Task<Result<void>> start(Daemon& daemon) override;
  http::Service& service() override { return *router_; }
  void drain() override {
    publisher_->end();
    introducer_->drain();
    if (oidc_) oidc_->stop();
  }
  Task<void> stop() override;

 private:
  Task<Result<void>> start_feed(Daemon& daemon);
  Task<Result<void>> start_access(Daemon& daemon);
  Task<Result<void>> start_swarms(Daemon& daemon);
  Task<void> expire_uploads();

  MasterOptions options_;
  std::unique_ptr<registry::Storage> storage_;
  std::unique_ptr<registry::NameStore> names_;
  std::unique_ptr<registry::CheckedBlobs> checked_;
  std::unique_ptr<registry::Scrubber> scrubber_;
  std::unique_ptr<audit::AuditLog> audit_;
  auth::OpenGate open_;
  std::unique_ptr<identity::oidc::OidcProvider> oidc_;
  std::unique_ptr<identity::oidc::OidcService> oidc_service_;
  std::unique_ptr<identity::Identities> identities_;  // null where everybody may do everything
  std::unique_ptr<MasterBlobs> blobs_;
  std::unique_ptr<UploadSessions> sessions_;
  std::unique_ptr<PushService> push_;
  std::unique_ptr<swarm::TorrentBook> torrents_;
  std::unique_ptr<swarm::Introducer> introducer_;
  std::unique_ptr<feed::Publisher> publisher_;
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<NodeBook> nodes_;
  std::unique_ptr<feed::FeedService> feed_;
  std::unique_ptr<NodeService> node_service_;
  std::unique_ptr<replication::Replication> replication_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<http::Router> router_;
  Scope scope_;
  Sleeper sleeper_;
  bool stopping_ = false;
};

}  // namespace wherry::master
