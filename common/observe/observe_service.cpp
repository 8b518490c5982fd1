#include "common/observe/observe_service.h"

namespace wherry {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

}  // namespace

Task<Result<void>> ObserveService::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response refused(405);
    refused.header("Allow", "GET, HEAD").body(kText, "only GET and HEAD\n");
    co_return co_await exchange.send(std::move(refused));
  }
  http::Response response(200);
  if (request.path == "/healthz") {
    response.body(kText, "ok\n");
  } else if (request.path == "/readyz") {
    const Health::State state = health_.state();
    if (state == Health::State::kReady) {
      response.body(kText, "ready\n");
    } else {
      response = http::Response(503);
      response.body(kText, state == Health::State::kStarting ? "starting\n" : "draining\n");
    }
  } else if (request.path == "/metrics") {
    response.body("text/plain; version=0.0.4; charset=utf-8", metrics_.text());
  } else if (request.path == "/status.json") {
    if (status_) {
      auto status = co_await status_();
      response.body("application/json", std::move(status));
    } else {
      response = http::Response(503);
      response.body(kText, "this process is starting or ending\n");
    }
  } else {
    response = http::Response(404);
    response.body(kText, "there are /healthz, /readyz, /metrics and /status.json\n");
  }
  co_return co_await exchange.send(std::move(response));
}

http::Response ObserveService::render(const Error& error) const {
  return http::Response(500).body(kText, error.message() + "\n");
}

}  // namespace wherry
