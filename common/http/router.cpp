#include "common/http/router.h"

namespace wherry::http {

Service* Router::find(std::string_view path) const {
  for (const Route& route : routes_)
    if (path.starts_with(route.prefix)) return route.service;
  return nullptr;
}

Task<Result<void>> Router::handle(Exchange& exchange) {
  Service* service = find(exchange.request().path);
  return service != nullptr ? handle_by(*service, exchange) : rest_.handle(exchange);
}

Task<Result<void>> Router::handle_by(Service& service, Exchange& exchange) {
  auto handled = co_await service.handle(exchange);
  if (handled || exchange.responded()) co_return handled;
  const ErrorKind kind = handled.error().kind();
  if (kind == ErrorKind::kClosed || kind == ErrorKind::kCancelled) co_return handled;
  co_return co_await exchange.send(service.render(handled.error()));
}

void Router::finished(const Exchange& exchange, Duration took) {
  Service* service = find(exchange.request().path);
  (service != nullptr ? *service : rest_).finished(exchange, took);
}

}  // namespace wherry::http
