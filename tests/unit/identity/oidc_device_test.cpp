// Logins at a command line.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/identity/oidc_bench.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::identity::oidc {
namespace {

using testing::OidcBench;

/// Whether that is a login nobody has said anything to yet.
bool is_pending(const Result<std::optional<MasterLogins::Person>>& outcome) {
  return outcome.has_value() && !outcome->has_value();
}

Task<void> log_in_with_a_device() {
  OidcBench bench;
  co_await bench.start();
  auto begun = co_await bench.devices->begin_device();
  EXPECT_TRUE(begun);
  EXPECT_EQ(begun->user_code, "WXYZ-1234");
  EXPECT_EQ(begun->verification_uri, bench.provider.url + "/activate");
  EXPECT_EQ(begun->verification_uri_complete, bench.provider.url + "/activate?code=WXYZ-1234");
  EXPECT_EQ(begun->interval, std::chrono::seconds(5));
  EXPECT_EQ(begun->expires_in, std::chrono::minutes(10));
  EXPECT_EQ(begun->handle.find("the-device-code"), std::string::npos);
  EXPECT_EQ(bench.provider.scope, "openid profile email groups");
  bench.provider.device_refusals = {"authorization_pending", "slow_down"};
  auto too_soon = co_await bench.devices->poll_device(begun->handle);
  EXPECT_TRUE(is_pending(too_soon));
  EXPECT_EQ(bench.provider.tokens_asked, 0);
  bench.clock.advance(std::chrono::seconds(5));
  auto pending = co_await bench.devices->poll_device(begun->handle);
  EXPECT_TRUE(is_pending(pending));
  EXPECT_EQ(bench.provider.tokens_asked, 1);
  bench.clock.advance(std::chrono::seconds(5));
  auto slower = co_await bench.devices->poll_device(begun->handle);
  EXPECT_TRUE(is_pending(slower));
  EXPECT_EQ(bench.devices->interval_of(begun->handle), std::chrono::seconds(10));
  bench.clock.advance(std::chrono::seconds(9));
  auto not_yet = co_await bench.devices->poll_device(begun->handle);
  EXPECT_TRUE(is_pending(not_yet));
  EXPECT_EQ(bench.provider.tokens_asked, 2) << "slow_down does not count";
  bench.clock.advance(std::chrono::seconds(1));
  bench.provider.person["groups"] = "staff";
  auto person = co_await bench.devices->poll_device(begun->handle);
  EXPECT_TRUE(person && *person);
  if (person && *person) {
    EXPECT_EQ((*person)->name, "alice");
    EXPECT_EQ((*person)->groups, std::vector<std::string>{"staff"});
  }
  auto again = co_await bench.devices->poll_device(begun->handle);
  EXPECT_EQ(testing::kind_of(again), ErrorKind::kNotFound);
  co_await bench.stop();
}

TEST(OidcDeviceFlow, NamesThePersonOnceHeSaidYesAndAsksNoMoreOftenThanItMay) {
  testing::run_task(log_in_with_a_device());
}

Task<std::optional<ErrorKind>> refused_with(OidcBench& bench, std::string refusal) {
  auto begun = co_await bench.devices->begin_device();
  EXPECT_TRUE(begun);
  bench.clock.advance(begun->interval);
  bench.provider.device_refusals = {std::move(refusal)};
  auto refused = co_await bench.devices->poll_device(begun->handle);
  auto after = co_await bench.devices->poll_device(begun->handle);
  EXPECT_EQ(testing::kind_of(after), ErrorKind::kNotFound) << "the handle is of use after a refusal";
  co_return testing::kind_of(refused);
}

Task<void> end_without_a_person() {
  OidcBench bench;
  co_await bench.start();
  const auto denied = co_await refused_with(bench, "access_denied");
  EXPECT_EQ(denied, ErrorKind::kDenied);
  const auto expired = co_await refused_with(bench, "expired_token");
  EXPECT_EQ(expired, ErrorKind::kNotFound);
  const auto strange = co_await refused_with(bench, "something \x01 else");
  EXPECT_EQ(strange, ErrorKind::kUnauthorized);
  auto begun = co_await bench.devices->begin_device();
  bench.clock.advance(begun->expires_in);
  const int asked = bench.provider.tokens_asked;
  auto late = co_await bench.devices->poll_device(begun->handle);
  EXPECT_EQ(testing::kind_of(late), ErrorKind::kNotFound);
  EXPECT_EQ(bench.provider.tokens_asked, asked);
  auto other = co_await bench.devices->begin_device();
  bench.clock.advance(other->interval);
  bench.provider.bend = [](nlohmann::json& claims) { claims["aud"] = "other"; };
  auto not_ours = co_await bench.devices->poll_device(other->handle);
  EXPECT_EQ(testing::kind_of(not_ours), ErrorKind::kUnauthorized);
  co_await bench.stop();
}

TEST(OidcDeviceFlow, EndsWithARefusalOrItsTime) { testing::run_task(end_without_a_person()); }

Task<void> go_on_after_a_failure() {
  OidcBench bench;
  co_await bench.start();
  auto begun = co_await bench.devices->begin_device();
  bench.clock.advance(begun->interval);
  bench.provider.way = testing::TestProvider::Way::kFails;
  auto failed = co_await bench.devices->poll_device(begun->handle);
  EXPECT_EQ(testing::kind_of(failed), ErrorKind::kUnavailable);
  bench.provider.way = testing::TestProvider::Way::kWell;
  bench.clock.advance(begun->interval);
  auto person = co_await bench.devices->poll_device(begun->handle);
  EXPECT_TRUE(person && *person);
  bench.provider.metadata = {{"device_authorization_endpoint", nullptr}};
  bench.begin_anew();
  auto none = co_await bench.devices->begin_device();
  EXPECT_EQ(testing::kind_of(none), ErrorKind::kUnsupported);
  co_await bench.stop();
}

TEST(OidcDeviceFlow, AProviderThatFailsOnceIsAskedAgainAndOneWithoutDevicesSaysSo) {
  testing::run_task(go_on_after_a_failure());
}

}  // namespace
}  // namespace wherry::identity::oidc
