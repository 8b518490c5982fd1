#include "master/registry/push_service.h"

#include "common/base/bytes.h"
#include "common/feed/log.h"
#include "common/registry/tables.h"

namespace wherry::master {

using registry::Endpoint;

Task<Result<void>> PushService::handle_write(http::Exchange& exchange, const registry::Route& route) {
  const std::string_view method = exchange.request().method;
  switch (route.endpoint) {
    case Endpoint::kUploads:
      if (method == "POST") co_return co_await begin_upload(exchange, route);
      break;
    case Endpoint::kUpload:
      if (method == "PATCH") co_return co_await append_upload(exchange, route);
      if (method == "PUT") co_return co_await finish_upload(exchange, route);
      if (method == "GET" || method == "HEAD") co_return co_await upload_status(exchange, route);
      if (method == "DELETE") co_return co_await cancel_upload(exchange, route);
      break;
    case Endpoint::kManifest:
      if (method == "PUT") co_return co_await put_manifest(exchange, route);
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

Result<void> ensure_repository(kv::Transaction& transaction, const RepositoryName& repository, WallTime now) {
  const std::string key = registry::tables::repository_key(repository);
  auto there = transaction.exists(key);
  if (!there) return there.error();
  if (*there) return {};
  std::string made;
  append_be64(made, static_cast<std::uint64_t>(to_millis(now)));
  transaction.put(key, made);
  feed::Appender appender(transaction);
  appender.append(feed::Change::repository_created(repository.text(), now));
  auto appended = appender.finish();
  if (!appended) return appended.error();
  return {};
}

}  // namespace wherry::master
