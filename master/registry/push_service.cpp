#include "master/registry/push_service.h"

namespace wherry::master {

using registry::Endpoint;

Task<Result<void>> PushService::handle_write(http::Exchange& exchange, const registry::Route& route,
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
