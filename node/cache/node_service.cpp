#include "node/cache/node_service.h"

#include "common/http/uri.h"

namespace wherry::node {

Task<Result<void>> NodeService::handle_write(http::Exchange& exchange, const registry::Route& route,
                                             const auth::Visitor&) {
  const Origin* parent = upstreams_.parent();
  auto refused = registry::method_not_allowed(
      registry::allowed_methods(route.endpoint, false),
      parent != nullptr ? "this node only answers pulls: push to the master, " + parent->url()
                        : std::string("this node only answers pulls: push to the registry that it stands for"));
  co_return co_await exchange.send(std::move(refused));
}

/// What a registry of others shows to all may be pulled by all; what this node sees by credentials of its own, by
/// whoever logged in to it.
auth::Permissions NodeService::extra_rights(const registry::Route& route, const auth::Visitor& visitor) const {
  if (visitor.is_everyone() || !route.repository) return {};
  const auto remote = upstreams_.remote(*route.repository);
  if (!remote) return {};
  // Who may what in a master's content is its word, also for a node that does not follow it (any more).
  const bool is_ours = upstreams_.parent() == &remote->origin() && !membership_.name().empty();
  if (is_ours || upstreams_.follows(remote->origin())) return {};
  const bool is_for_all = remote->origin().options().credentials_file.empty();
  if (!is_for_all && visitor.who().is_anonymous()) return {};
  return {auth::Permission::kList, auth::Permission::kPull};
}

Result<void> NodeService::place(registry::Route& route, const http::Request& request) const {
  std::optional<std::string> named;
  const auto all = http::query_values(request.query, "ns");
  if (all.size() > 1) return Error(ErrorKind::kNameUnknown, "more than one ns is named");
  if (!all.empty()) named = all.front();
  auto kept = upstreams_.place(named, *route.repository);
  if (!kept) return kept.error();
  route.repository = std::move(*kept);
  return {};
}

}  // namespace wherry::node
