// The paths below /wherry/v1/login/, as a browser and a command line see them.
#include <gtest/gtest.h>

#include <string>

#include "common/auth/claims.h"
#include "master/identity/oidc/service.h"
#include "tests/unit/identity/oidc_registry.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::identity::oidc {
namespace {

using testing::kNoCookie;
using testing::OidcRegistry;
using testing::run_task;
using testing::Seen;
using ServiceJson = nlohmann::json;

Task<void> log_in_by_browser(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  std::string begin = registry.at("start");
  auto begun = co_await registry.get(std::move(begin), kNoCookie);
  EXPECT_EQ(begun.status, 307);
  EXPECT_TRUE(begun.location.starts_with(registry.bench.provider.url + "/authorize?realm=x&response_type=code"));
  EXPECT_TRUE(begun.cookie.starts_with("wherry-login=")) << begun.cookie;
  EXPECT_TRUE(begun.cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax")) << begun.cookie;
  const std::string cookie = begun.cookie.substr(0, begun.cookie.find(';'));
  const std::string back = co_await registry.bench.follow(begun.location);
  EXPECT_TRUE(back.starts_with(registry.at("callback?code="))) << back;
  for (const std::string& strange :
       {std::string(), std::string("wherry-login=other"), cookie + "; wherry-login=x", "wherry-login=x; " + cookie}) {
    auto other_browser = co_await registry.get(back, strange);
    EXPECT_EQ(other_browser.status, 403) << strange;
    EXPECT_TRUE(other_browser.shows("not begun in this browser"));
  }
  EXPECT_EQ(registry.bench.provider.tokens_asked, 0);
  auto done = co_await registry.get(back, cookie);
  EXPECT_EQ(done.status, 200);
  EXPECT_TRUE(done.shows("You are logged in as alice.")) << done.body;
  EXPECT_TRUE(done.policy.starts_with("default-src 'none'"));
  EXPECT_EQ(done.caching, "no-store");
  EXPECT_TRUE(done.location.empty()) << "a secret would be in a URL";
  EXPECT_TRUE(done.cookie.starts_with("wherry-login=; Path=/; Max-Age=0")) << done.cookie;
  const User* alice = registry.identities().directory().users().named("alice");
  EXPECT_TRUE(alice != nullptr && alice->source == Source::kOidc && alice->mail == "alice@example.org");
  auto again = co_await registry.get(back, cookie);
  EXPECT_EQ(again.status, 404);
  co_await registry.stop();
  EXPECT_EQ(registry.logins_noted(), std::vector<std::string>{"account/alice ok"});
}

TEST(OidcService, ABrowserLogsInOnceAndNoOtherFinishesItsLogin) {
  const testing::TempDir dir;
  run_task(log_in_by_browser(dir.path()));
}

Task<void> be_refused_by_browser(const std::string& folder) {
  OidcRegistry registry(folder);
  OidcService::Place place;
  place.url = "https://registry.example/";
  co_await registry.start(place);
  std::string begin = registry.at("start");
  auto begun = co_await registry.get(std::move(begin), kNoCookie);
  EXPECT_TRUE(begun.cookie.starts_with("__Host-wherry-login=")) << begun.cookie;
  EXPECT_TRUE(begun.cookie.ends_with("; Secure")) << begun.cookie;
  const std::string cookie = begun.cookie.substr(0, begun.cookie.find(';'));
  const std::string back = co_await registry.bench.follow(begun.location);
  EXPECT_TRUE(back.starts_with("https://registry.example/wherry/v1/login/callback?code=")) << back;
  const std::string state = cookie.substr(cookie.find('=') + 1);
  std::string no = registry.at("callback?error=access_denied&error_description=%3Cscript%3E&state=" + state);
  auto refused = co_await registry.get(std::move(no), cookie);
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(refused.shows("the provider did not allow this login"));
  EXPECT_FALSE(refused.shows("script"));
  std::string query = registry.at("callback") + back.substr(back.find('?'));
  auto after = co_await registry.get(std::move(query), cookie);
  EXPECT_EQ(after.status, 404) << "a login that was refused can be finished";
  std::string own_cookie;
  const std::string own_back = co_await registry.go_and_come_back(&own_cookie);
  std::string mixed = registry.at("callback") + own_back.substr(own_back.find('?')) + "&iss=https%3A%2F%2Fevil.example";
  auto of_another = co_await registry.get(std::move(mixed), own_cookie);
  EXPECT_EQ(of_another.status, 403);
  co_await registry.stop();
}

TEST(OidcService, ARefusalEndsTheLoginAndItsWordsAreNotRepeated) {
  const testing::TempDir dir;
  run_task(be_refused_by_browser(dir.path()));
}

Task<void> come_with_a_name_that_cannot_be(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  for (const std::string& name : {std::string("admin"), std::string("<b>o'neil</b>")}) {
    registry.bench.provider.person["preferred_username"] = name;
    std::string cookie;
    std::string back = co_await registry.go_and_come_back(&cookie);
    auto seen = co_await registry.get(std::move(back), cookie);
    EXPECT_EQ(seen.status, 403) << name;
    EXPECT_FALSE(seen.shows("<b>"));
    EXPECT_TRUE(seen.shows(name == "admin" ? "admin may not" : "&lt;b&gt;o&#39;neil&lt;/b&gt; may not")) << seen.body;
  }
  EXPECT_EQ(registry.identities().directory().users().size(), 1u);
  co_await registry.stop();
  EXPECT_EQ(registry.logins_noted(),
            (std::vector<std::string>{"account/admin denied", "account/<b>o'neil</b> denied"}));
}

TEST(OidcService, NobodyTakesOverAnAccountOfTheSameName) {
  const testing::TempDir dir;
  run_task(come_with_a_name_that_cannot_be(dir.path()));
}

Task<void> log_in_by_command_line(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  const Group testers = co_await registry.add_testers();
  registry.bench.provider.person["groups"] = {"Staff", "others"};
  registry.bench.provider.device_refusals = {"slow_down"};
  auto begun = co_await registry.post("device", "");
  EXPECT_EQ(begun.status, 200) << begun.body;
  EXPECT_FALSE(begun.shows("the-device-code"));
  EXPECT_EQ(begun.json().value("user_code", ""), "WXYZ-1234");
  EXPECT_EQ(begun.json().value("expires_in", 0), 600);
  const std::string handle = begun.json().value("handle", "");
  const std::string question = ServiceJson{{"handle", handle}}.dump();
  registry.bench.clock.advance(std::chrono::seconds(5));
  auto waiting = co_await registry.post("device/poll", question);
  EXPECT_EQ(waiting.status, 202);
  EXPECT_EQ(waiting.json(), (ServiceJson{{"status", "pending"}, {"interval", 10}}));
  registry.bench.clock.advance(std::chrono::seconds(10));
  auto done = co_await registry.post("device/poll", question);
  EXPECT_EQ(done.status, 200) << done.body;
  auto again = co_await registry.post("device/poll", question);
  EXPECT_EQ(again.status, 404);
  auth::TokenRequest later;
  later.refresh_token = done.json().value("refresh_token", "");
  auto issued = co_await registry.identities().issuer().issue(later);
  EXPECT_TRUE(issued) << "the refresh token is of no use";
  const auto& settings = registry.identities().directory().policy().settings();
  if (issued) {
    const auto anew = auth::read_claims(issued->token, settings, registry.bench.clock.wall());
    EXPECT_TRUE(anew && anew->who.name == "alice") << "the refresh token is nobody's";
  }
  const auto claims = auth::read_claims(done.json().value("token", ""), settings, registry.bench.clock.wall());
  EXPECT_TRUE(claims) << done.body;
  if (claims) {
    EXPECT_EQ(claims->who.name, "alice");
    EXPECT_EQ(claims->who.groups, std::vector<std::string>{testers.id});
    EXPECT_TRUE(claims->covers("registry", "api", "", auth::Scope::Action::kAny));
  }
  co_await registry.stop();
}

TEST(OidcService, ACommandLineGetsATokenOnceItsOwnerSaidYes) {
  const testing::TempDir dir;
  run_task(log_in_by_command_line(dir.path()));
}

Task<void> ask_what_cannot_be(const std::string& folder) {
  OidcRegistry registry(folder);
  const OidcService::Place place;
  co_await registry.start(place);
  std::string device = registry.at("device");
  auto got = co_await registry.get(std::move(device), kNoCookie);
  EXPECT_EQ(got.status, 405);
  std::string nothing = registry.at("devices");
  auto none = co_await registry.get(std::move(nothing), kNoCookie);
  EXPECT_EQ(none.status, 404);
  for (const char* body : {"", "[]", "{\"handle\":7}", "{\"handle\":\"\"}"}) {
    auto unreadable = co_await registry.post("device/poll", body);
    EXPECT_EQ(unreadable.status, 400) << body;
  }
  auto unknown = co_await registry.post("device/poll", R"({"handle":"0123"})");
  EXPECT_EQ(unknown.status, 404);
  http::ClientRequest form("POST", registry.at("device/poll"));
  form.header("Content-Type", "text/plain");
  form.body(R"({"handle":"0123"})");
  auto plain = co_await registry.ask(std::move(form));
  EXPECT_EQ(plain.status, 400);
  registry.bench.provider.way = testing::TestProvider::Way::kFails;
  std::string start = registry.at("start");
  auto page = co_await registry.get(std::move(start), kNoCookie);
  auto problem = co_await registry.post("device", "{}");
  for (const Seen& seen : {page, problem}) {
    EXPECT_EQ(seen.status, 503);
    EXPECT_TRUE(seen.shows("try again later")) << seen.body;
    EXPECT_FALSE(seen.shows("500")) << "what is for the log is told: " << seen.body;
  }
  co_await registry.stop();
}

TEST(OidcService, SaysWhatIsWrongWithAQuestionAndNothingOfTheProvider) {
  const testing::TempDir dir;
  run_task(ask_what_cannot_be(dir.path()));
}

}  // namespace
}  // namespace wherry::identity::oidc
