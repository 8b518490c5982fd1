// RegistryService: /v2/ as both roles serve it. Pulls are answered here; what changes something is the role's own.
#pragma once

#include "common/auth/gate.h"
#include "common/http/server.h"
#include "common/observe/metrics.h"
#include "common/registry/catalog.h"
#include "common/registry/invitations.h"
#include "common/registry/route.h"

namespace wherry::registry {

/// The service behind a role's listener. Source: OCI distribution-spec 1.1.1 and its main branch.
class RegistryService : public http::Service {
 public:
  RegistryService(Catalog& catalog, Blobs& blobs, auth::Gate& gate, Metrics& metrics);

  /// For blobs that are asked for whole; before it serves.
  void invite_to(Invitations& invitations) { invitations_ = &invitations; }

  Task<Result<void>> handle(http::Exchange& exchange) final;
  http::Response render(const Error& error) const final;
  void finished(const http::Exchange& exchange, Duration took) final;

 protected:
  /// Answers a method other than GET and HEAD on a path of the API, and all methods of upload sessions.
  /// `visitor` may do what the endpoint's method needs by itself.
  virtual Task<Result<void>> handle_write(http::Exchange& exchange, const Route& route,
                                          const auth::Visitor& visitor) = 0;
  /// Puts the name that a repository is kept under into the route, where that may be another than the one asked for.
  virtual Result<void> place(Route& /*route*/, const http::Request& /*request*/) const { return {}; }
  /// Whether a visitor may still do that with the repository: after a body, which may take its time, what was taken
  /// back meanwhile counts. Errors: kDenied.
  Result<void> still_may(const Route& route, const auth::Visitor& visitor, auth::Permission permission);
  /// Told of a visitor who may not do what he asked for.
  virtual void refused(const http::Exchange& /*exchange*/, const Route& /*route*/, const auth::Visitor& /*visitor*/) {}
  /// What a visitor may do with repositories that the policy does not know.
  virtual auth::Permissions extra_rights(const Route& /*route*/, const auth::Visitor& /*visitor*/) const { return {}; }

 private:
  Task<Result<void>> answer(http::Exchange& exchange, const Route& route, const auth::Visitor& visitor);
  Task<Result<void>> refuse_visitor(http::Exchange& exchange, const Route& route, const Error& why);
  Task<Result<void>> pull(http::Exchange& exchange, const Route& route, const auth::Visitor& visitor);
  Task<Result<void>> pull_manifest(http::Exchange& exchange, const Route& route);
  Task<Result<void>> pull_blob(http::Exchange& exchange, const Route& route);
  Task<Result<void>> list_tags(http::Exchange& exchange, const Route& route);
  Task<Result<void>> list_repositories(http::Exchange& exchange, const auth::Visitor& visitor);
  Task<Result<void>> list_referrers(http::Exchange& exchange, const Route& route);
  Task<Result<void>> list_manifests(http::Exchange& exchange, const Route& route);

  Catalog& catalog_;
  Blobs& blobs_;
  auth::Gate& gate_;
  Invitations* invitations_ = nullptr;
  Metrics& metrics_;
  Counter cut_by_client_;
  Counter cut_by_source_;
};

/// A response with the header that registries of this protocol carry.
http::Response v2_response(int status);
/// 405 with an Allow header and an OCI error body.
http::Response method_not_allowed(std::string_view allow, std::string message);

}  // namespace wherry::registry
