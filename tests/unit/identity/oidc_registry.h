// A master's logins with a test's provider beside, and who asks both.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/kv/rocks_key_value.h"
#include "master/audit/reader.h"
#include "master/identity/identities.h"
#include "master/identity/oidc/service.h"
#include "tests/unit/identity/oidc_bench.h"

namespace wherry::testing {

inline const std::string kNoCookie;

/// What came back.
struct Seen {
  int status = 0;
  std::string location;
  std::string cookie;
  std::string policy;
  std::string caching;
  std::string body;

  bool shows(std::string_view text) const { return body.find(text) != std::string::npos; }
  nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
};

/// A master's logins, with a provider beside.
class OidcRegistry {
 public:
  explicit OidcRegistry(const std::string& folder)
      : folder_(folder), store_(kv::RocksKeyValue::open(folder + "/kv", pool_, {}).value()) {}

  Task<void> start(const identity::oidc::OidcService::Place& place) {
    co_await bench.start();
    const audit::AuditOptions audit_options;
    auto log = co_await audit::AuditLog::open(audit::audit_folder(folder_), audit_options, pool_, metrics_);
    audit_ = std::move(log.value());
    const identity::AccessOptions access;
    identities_ = std::make_unique<identity::Identities>(folder_, access, *store_, *audit_, bench.clock);
    std::vector<Loop*> loops{&Loop::current()};
    auth::NodeCheck nodes = [](const http::Exchange&) { return std::optional<auth::Identity>(); };
    auth::NodeSigner signer = [](const http::Request&, std::string_view) { return std::string(); };
    auto started = co_await identities_->start(pool_, std::move(nodes), std::move(signer), std::move(loops));
    EXPECT_TRUE(started);
    service_ = std::make_unique<identity::oidc::OidcService>(*bench.asked, identities_->logins(), identities_->issuer(),
                                                             place);
    server_ = std::make_unique<LocalServer>(*service_);
    co_await server_->start();
  }
  Task<void> stop() {
    bench.browser.reset();
    co_await server_->stop();
    service_.reset();
    co_await bench.stop();
  }
  std::string at(const std::string& path) const { return server_->url() + "/wherry/v1/login/" + path; }

  Task<Seen> ask(http::ClientRequest request) {
    Seen seen;
    auto transfer = co_await bench.browser->open(std::move(request));
    EXPECT_TRUE(transfer);
    if (!transfer) co_return seen;
    const http::ClientHead& head = (*transfer)->head();
    seen.status = head.status();
    seen.location = head.header("location");
    seen.cookie = head.header("set-cookie");
    seen.policy = head.header("content-security-policy");
    seen.caching = head.header("cache-control");
    auto body = co_await (*transfer)->read_whole(64 * 1024);
    if (body) seen.body = *body;
    co_return seen;
  }
  Task<Seen> get(std::string url, const std::string& cookie) {
    http::ClientRequest request("GET", std::move(url));
    if (!cookie.empty()) request.header("Cookie", "other=1; " + cookie);
    co_return co_await ask(std::move(request));
  }
  Task<Seen> post(const std::string& path, const std::string& body) {
    http::ClientRequest request("POST", at(path));
    request.header("Content-Type", "application/json");
    request.body(body);
    co_return co_await ask(std::move(request));
  }
  /// Where a browser comes back to after the provider; `cookie` is set to what it was given to keep.
  Task<std::string> go_and_come_back(std::string* cookie) {
    std::string begin = at("start");
    auto begun = co_await get(std::move(begin), kNoCookie);
    *cookie = begun.cookie.substr(0, begun.cookie.find(';'));
    co_return co_await bench.follow(begun.location);
  }

  /// The group that stands for the provider's "Staff".
  Task<identity::Group> add_testers() {
    identity::Group group;
    group.name = "testers";
    group.source = identity::Source::kOidc;
    group.external_name = "Staff";
    co_return (co_await identities().directory().create_group(group)).value();
  }

  /// A whole login by browser; gives the secret that the page shows, which is the first text of its own there.
  Task<std::string> secret_by_browser() {
    std::string cookie;
    std::string back = co_await go_and_come_back(&cookie);
    auto page = co_await get(std::move(back), cookie);
    const std::size_t begin = page.body.find("<pre>") + 5;
    co_return page.status == 200 ? page.body.substr(begin, page.body.find("</pre>") - begin) : std::string();
  }

  identity::Identities& identities() { return *identities_; }
  /// What is in the audit log of the action "login": whose, and what came of it. Ends the log.
  std::vector<std::string> logins_noted() {
    audit_.reset();
    const audit::AuditQuery all;
    std::vector<std::string> noted;
    auto page = audit::AuditReader(audit::audit_folder(folder_)).read(all);
    EXPECT_TRUE(page);
    if (!page) return noted;
    for (const audit::AuditRecord& record : page->records)
      if (record.event.action == "login")
        noted.push_back(record.event.target + " " + std::string(audit::word_of(record.event.result)));
    return noted;
  }

  OidcBench bench;

 private:
  const std::string folder_;
  Pool pool_{"disk", 1};
  Metrics metrics_{"master"};
  std::unique_ptr<kv::RocksKeyValue> store_;
  std::unique_ptr<audit::AuditLog> audit_;
  std::unique_ptr<identity::Identities> identities_;
  std::unique_ptr<identity::oidc::OidcService> service_;
  std::unique_ptr<LocalServer> server_;
};

}  // namespace wherry::testing
