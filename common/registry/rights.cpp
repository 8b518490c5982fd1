#include "common/registry/rights.h"

#include "common/oci/error_body.h"
#include "common/registry/service.h"

namespace wherry::registry {
namespace {

using auth::Permission;
using auth::Visitor;

constexpr std::string_view kErrorBody = "application/json";

/// Every answer to the ping is the same for those who have shown something that counts.
bool passes_ping(const Visitor& visitor) { return visitor.is_everyone() || !visitor.shows_nothing(); }

bool passes_catalog(const Visitor& visitor) {
  if (visitor.is_everyone()) return true;
  if (visitor.who().is_anonymous()) return false;
  return visitor.claims()->covers(auth::kRegistryScope, auth::kCatalogName, {}, auth::Scope::Action::kAny);
}

std::string actions_for(Permission permission) {
  switch (auth::action_of(permission)) {
    case auth::Scope::Action::kPush: return "pull,push";
    case auth::Scope::Action::kDelete: return "delete";
    default: return "pull";
  }
}

}  // namespace

std::optional<Permission> needed(Endpoint endpoint, std::string_view method) {
  const bool reads = method == "GET" || method == "HEAD";
  switch (endpoint) {
    case Endpoint::kTags:
    case Endpoint::kManifests: return Permission::kList;
    case Endpoint::kManifest:
    case Endpoint::kBlob:
      if (reads) return Permission::kPull;
      return method == "DELETE" ? Permission::kDelete : Permission::kPush;
    case Endpoint::kReferrers: return Permission::kPull;
    case Endpoint::kUploads:
    case Endpoint::kUpload: return Permission::kPush;
    default: return std::nullopt;
  }
}

std::string scope_of(const Route& route, std::string_view method) {
  if (route.endpoint == Endpoint::kCatalog) return "registry:catalog:*";
  const auto permission = needed(route.endpoint, method);
  if (!permission || !route.repository) return {};
  return fmt::format("repository:{}:{}", route.repository->text(), actions_for(*permission));
}

http::Response unauthorized(const auth::Gate& gate, const http::Request& request, const Error& why,
                            const std::string& scope, std::string_view error) {
  auto response = v2_response(401);
  response.header("WWW-Authenticate", gate.challenge(request, scope, error));
  response.body(kErrorBody, error_body(why));
  return response;
}

Error denied(const Visitor& visitor, Permission permission, std::string_view repository) {
  const std::string_view who = visitor.who().name;
  if (permission == Permission::kPull || permission == Permission::kList)
    return Error(ErrorKind::kDenied, "{} has no right to read {}, or it is not there", who, repository);
  return Error(ErrorKind::kDenied,
               "{} has no right to {} {}: that takes {}, which an administrator of the project {} can grant", who,
               permission == Permission::kDelete ? "delete from" : "push to", repository, auth::name_of(permission),
               auth::project_of(repository));
}

std::optional<http::Response> refuse(const auth::Gate& gate, const http::Request& request, const Route& route,
                                     const Visitor& visitor, auth::Permissions extra) {
  if (visitor.is_everyone()) return std::nullopt;
  const auto ask = [&](std::string_view error) {
    const Error why(ErrorKind::kUnauthorized, "log in, or ask for a token of this scope");
    return unauthorized(gate, request, why, scope_of(route, request.method), error);
  };
  if (route.endpoint == Endpoint::kPing) return passes_ping(visitor) ? std::nullopt : std::optional(ask({}));
  if (route.endpoint == Endpoint::kCatalog)
    return passes_catalog(visitor) ? std::nullopt
                                   : std::optional(ask(visitor.shows_nothing() ? "" : "insufficient_scope"));
  const auto permission = needed(route.endpoint, request.method);
  if (!permission || !route.repository) return std::nullopt;
  const auto may = visitor.may(*permission, route.repository->text(), extra);
  if (may == Visitor::May::kYes) return std::nullopt;
  if (visitor.who().is_anonymous()) return ask({});
  if (may == Visitor::May::kWithAnotherToken) return ask("insufficient_scope");
  auto response = v2_response(403);
  response.body(kErrorBody, error_body(denied(visitor, *permission, route.repository->text())));
  return response;
}

}  // namespace wherry::registry
