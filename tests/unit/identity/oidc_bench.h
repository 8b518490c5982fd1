// A test's provider on its server, and what asks it, all on one loop.
#pragma once

#include <memory>
#include <string>

#include "common/http/client.h"
#include "common/http/uri.h"
#include "master/identity/oidc/code_flow.h"
#include "master/identity/oidc/device_flow.h"
#include "tests/unit/identity/test_provider.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry::testing {

/// start() it before all else, stop() it before its loop's task ends.
class OidcBench {
 public:
  static constexpr const char* kBack = "https://registry.example/wherry/v1/login/callback";

  Task<void> start() {
    co_await server_.start();
    provider.url = server_.url();
    begin_anew();
  }
  Task<void> stop() {
    devices.reset();
    codes.reset();
    asked.reset();
    browser.reset();
    provider.release();
    co_await server_.stop();
  }
  /// A master that knows nothing yet.
  void begin_anew() {
    identity::oidc::OidcOptions options;
    options.issuer = provider.url;
    options.client_id = TestProvider::kClient;
    if (!provider.is_public_client) options.client_secret = TestProvider::kSecret;
    options.timeout = std::chrono::milliseconds(400);
    devices.reset();
    codes.reset();
    asked = std::make_unique<identity::oidc::OidcProvider>(options, clock);
    codes = std::make_unique<identity::oidc::CodeFlow>(*asked);
    devices = std::make_unique<identity::oidc::DeviceFlow>(*asked);
    if (!browser) browser = std::make_unique<http::Client>(Loop::current(), http::ClientOptions{});
  }
  /// Where the provider sends a browser that comes to `where`; empty when nowhere.
  Task<std::string> follow(std::string where) {
    http::ClientRequest request("GET", std::move(where));
    auto transfer = co_await browser->open(std::move(request));
    if (!transfer) co_return std::string();
    co_return std::string((*transfer)->head().header("location"));
  }
  /// A whole login by browser.
  Task<Result<identity::MasterLogins::Person>> log_in() {
    std::string back(kBack);
    auto begun = co_await codes->begin(std::move(back));
    if (!begun) co_return begun.error();
    const std::string location = co_await follow(begun->url);
    const std::string query = location.substr(location.find('?') + 1);
    std::string state = http::query_value(query, "state").value_or("");
    std::string code = http::query_value(query, "code").value_or("");
    co_return co_await codes->finish(std::move(state), std::move(code));
  }

  TurnedClock clock;
  TestProvider provider{clock};
  std::unique_ptr<http::Client> browser;
  std::unique_ptr<identity::oidc::OidcProvider> asked;
  std::unique_ptr<identity::oidc::CodeFlow> codes;
  std::unique_ptr<identity::oidc::DeviceFlow> devices;

 private:
  LocalServer server_{provider};
};

}  // namespace wherry::testing
