#include "master/registry/push_service.h"

#include "common/auth/token_gate.h"
#include "master/audit/actor.h"

namespace wherry::master {

using registry::Endpoint;

namespace {

std::string action_of(const registry::Route& route, std::string_view method) {
  const bool is_delete = method == "DELETE";
  switch (route.endpoint) {
    case Endpoint::kManifest: return is_delete ? "manifest.delete" : "manifest.push";
    case Endpoint::kBlob: return is_delete ? "blob.delete" : "blob.read";
    default: return "blob.push";
  }
}

}  // namespace

void PushService::note(const http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor,
                       audit::Outcome outcome, std::string reason) {
  if (audit_ == nullptr || !route.repository) return;
  const bool is_digest = route.last.find(':') != std::string::npos;
  std::string target = "repository/" + route.repository->text();
  if (route.endpoint == Endpoint::kManifest) target.append(is_digest ? "@" : ":").append(route.last);
  if (route.endpoint == Endpoint::kBlob) target.append("@").append(route.last);
  audit::AuditEvent event(action_of(route, exchange.request().method), std::move(target));
  event.actor = audit::actor_of(visitor.who());
  event.remote = auth::address_of(exchange.remote());
  event.result = outcome;
  event.reason = std::move(reason);
  audit_->note(std::move(event));
}

void PushService::refused(const http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor) {
  const std::string_view method = exchange.request().method;
  // Who has not said who he is is asked first; pulls stand in the access log.
  if (visitor.who().is_anonymous() || method == "GET" || method == "HEAD") return;
  note(exchange, route, visitor, audit::Outcome::kDenied, "no right");
}

Task<Result<void>> PushService::handle_write(http::Exchange& exchange, const registry::Route& route,
                                             const auth::Visitor& visitor) {
  const bool is_of_note = route.endpoint == Endpoint::kManifest || route.endpoint == Endpoint::kBlob;
  const auto answered = [&](int status) {
    note(exchange, route, visitor, status < 300 ? audit::Outcome::kOk : audit::Outcome::kFailed, {});
  };
  if (is_of_note) exchange.on_answer(answered);
  auto outcome = co_await change(exchange, route, visitor);
  exchange.on_answer(nullptr);
  if (is_of_note && !exchange.responded()) {
    const bool denied = outcome.error().kind() == ErrorKind::kDenied;
    note(exchange, route, visitor, denied ? audit::Outcome::kDenied : audit::Outcome::kFailed,
         outcome.error().message());
  }
  co_return outcome;
}

Task<Result<void>> PushService::change(http::Exchange& exchange, const registry::Route& route,
                                       const auth::Visitor& visitor) {
  const std::string_view method = exchange.request().method;
  switch (route.endpoint) {
    case Endpoint::kUploads:
      if (method == "POST") co_return co_await begin_upload(exchange, route, visitor);
      break;
    case Endpoint::kUpload:
      if (method == "PATCH") co_return co_await append_upload(exchange, route, visitor);
      if (method == "PUT") co_return co_await finish_upload(exchange, route, visitor);
      if (method == "GET" || method == "HEAD") co_return co_await upload_status(exchange, route, visitor);
      if (method == "DELETE") co_return co_await cancel_upload(exchange, route, visitor);
      break;
    case Endpoint::kManifest:
      if (method == "PUT") co_return co_await put_manifest(exchange, route, visitor);
      if (method == "DELETE") co_return co_await delete_manifest(exchange, route);
      break;
    case Endpoint::kBlob:
      if (method == "DELETE") co_return co_await delete_blob(exchange, route);
      break;
    default: break;
  }
  const auto allow = registry::allowed_methods(route.endpoint, true);
  auto refused = registry::method_not_allowed(allow, fmt::format("{} is not among {} here", method, allow));
  co_return co_await exchange.send(std::move(refused));
}

}  // namespace wherry::master
