// NodeService: /v2/ of a node: pulls, and a clear word to who would push.
#pragma once

#include "common/registry/service.h"

namespace wherry::node {

class NodeService final : public registry::RegistryService {
 public:
  NodeService(registry::Catalog& catalog, registry::Blobs& blobs, Metrics& metrics, std::string parent)
      : RegistryService(catalog, blobs, metrics), parent_(std::move(parent)) {}

 protected:
  Task<Result<void>> handle_write(http::Exchange& exchange, const registry::Route& route) override;

 private:
  std::string parent_;
};

}  // namespace wherry::node
