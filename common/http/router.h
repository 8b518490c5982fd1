// Router: one listener, several services, told apart by what a path starts with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/http/server.h"

namespace wherry::http {

/// Hands each request to the service of its path's prefix ("/wherry/v1/"), all others to the one behind them. Costs a
/// comparison per prefix; no frame and no allocation of its own. Services outlive it; add() before it serves.
class Router final : public Service {
 public:
  explicit Router(Service& rest) : rest_(rest) {}
  void add(std::string prefix, Service& service) { routes_.push_back({std::move(prefix), &service}); }

  Task<Result<void>> handle(Exchange& exchange) override;
  /// An error of a prefix's service was worded by that service already; what comes here is the rest's.
  Response render(const Error& error) const override { return rest_.render(error); }
  void finished(const Exchange& exchange, Duration took) override;

 private:
  struct Route {
    std::string prefix;
    Service* service;
  };
  Service* find(std::string_view path) const;
  static Task<Result<void>> handle_by(Service& service, Exchange& exchange);

  Service& rest_;
  std::vector<Route> routes_;
};

}  // namespace wherry::http
