// The endpoints of nodes in the administration API.
#pragma once

#include <functional>

#include "master/api/api.h"
#include "master/nodes/node_book.h"

namespace wherry::master {

/// Adds /api/v1/nodes. `removed` is called once a node is not let in any more. Both outlive the API.
void add_node_endpoints(api::Api& api, NodeBook& book, std::function<void()> removed);

}  // namespace wherry::master
