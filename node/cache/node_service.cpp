#include "node/cache/node_service.h"

namespace wherry::node {

Task<Result<void>> NodeService::handle_write(http::Exchange& exchange, const registry::Route& route) {
  auto refused = registry::method_not_allowed(registry::allowed_methods(route.endpoint, false),
                                              "this node only answers pulls: push to the master, " + parent_);
  co_return co_await exchange.send(std::move(refused));
}

}  // namespace wherry::node
