// NodeService: /v2/ of a node: pulls in three dialects, and a clear word to who would push.
#pragma once

#include "common/registry/service.h"
#include "node/follow/membership.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// `/v2/alpine/...?ns=docker.io` (containerd), `/v2/docker.io/library/alpine/...` (podman, CRI-O) and, where docker.io
/// is the root, `/v2/library/alpine/...` (docker) mean the same.
class NodeService final : public registry::RegistryService {
 public:
  NodeService(registry::Catalog& catalog, registry::Blobs& blobs, auth::Gate& gate, Metrics& metrics,
              const Upstreams& upstreams, const Membership& membership)
      : RegistryService(catalog, blobs, gate, metrics), upstreams_(upstreams), membership_(membership) {}

 protected:
  Task<Result<void>> handle_write(http::Exchange& exchange, const registry::Route& route,
                                  const auth::Visitor& visitor) override;
  Result<void> place(registry::Route& route, const http::Request& request) const override;
  auth::Permissions extra_rights(const registry::Route& route, const auth::Visitor& visitor) const override;

 private:
  const Upstreams& upstreams_;
  const Membership& membership_;
};

}  // namespace wherry::node
