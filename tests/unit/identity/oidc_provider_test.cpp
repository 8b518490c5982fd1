// Providers that are slow, gone, wrong about themselves, or have new keys.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/auth/jwt.h"
#include "tests/unit/identity/oidc_bench.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::identity::oidc {
namespace {

using testing::OidcBench;
using testing::TestProvider;
using ProviderJson = nlohmann::json;
using ProviderWay = TestProvider::Way;

/// What is said in the log; expects that it is for the log.
template <class T>
std::string unavailable(const Result<T>& outcome) {
  EXPECT_EQ(testing::kind_of(outcome), ErrorKind::kUnavailable);
  return outcome ? std::string() : outcome.error().message();
}

struct BadWay {
  ProviderWay way;
  const char* says;
};

Task<void> ask_a_bad_provider(const std::vector<BadWay>& bad_ways) {
  OidcBench bench;
  co_await bench.start();
  for (const BadWay& bad : bad_ways) {
    bench.begin_anew();
    bench.provider.way = bad.way;
    const auto before = std::chrono::steady_clock::now();
    auto metadata = co_await bench.asked->metadata();
    EXPECT_NE(unavailable(metadata).find(bad.says), std::string::npos) << unavailable(metadata);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3)) << bad.says;
  }
  bench.provider.way = ProviderWay::kWell;
  auto too_soon = co_await bench.asked->metadata();
  EXPECT_FALSE(too_soon) << "it was asked again at once";
  bench.clock.advance(OidcProvider::kPause);
  auto later = co_await bench.asked->metadata();
  EXPECT_TRUE(later);
  co_await bench.stop();
}

TEST(OidcProvider, OneThatIsSilentOrSaysTooMuchCostsLittleTime) {
  const std::vector<BadWay> ways{{ProviderWay::kSilent, "nothing came"},
                                 {ProviderWay::kDrip, "took too long"},
                                 {ProviderWay::kEndless, "more than 262144 bytes"},
                                 {ProviderWay::kRedirect, "it answered 307"},
                                 {ProviderWay::kFails, "it answered 500"}};
  testing::run_task(ask_a_bad_provider(ways));
}

Task<void> ask_where_nobody_is() {
  OidcBench bench;
  co_await bench.start();
  TestProvider nobody(bench.clock);
  {
    testing::LocalServer gone(nobody);
    co_await gone.start();
    bench.provider.url = gone.url();
    co_await gone.stop();
  }
  bench.begin_anew();
  auto person = co_await bench.log_in();
  unavailable(person);
  auto device = co_await bench.devices->begin_device();
  unavailable(device);
  co_await bench.stop();
}

TEST(OidcProvider, OneThatIsDownIsUnavailable) { testing::run_task(ask_where_nobody_is()); }

Task<void> ask_strange_ones(const std::vector<ProviderJson>& cases) {
  OidcBench bench;
  co_await bench.start();
  for (const ProviderJson& each : cases) {
    bench.begin_anew();
    bench.provider.metadata = each;
    auto metadata = co_await bench.asked->metadata();
    EXPECT_FALSE(unavailable(metadata).empty()) << each.dump();
  }
  bench.begin_anew();
  bench.provider.metadata = {{"token_endpoint", "https://tokens.example.org/token"}};
  auto elsewhere = co_await bench.asked->metadata();
  EXPECT_TRUE(elsewhere) << "an endpoint may be on another host, by https";
  co_await bench.stop();
}

TEST(OidcProvider, AnotherIssuerOrAnEndpointInClearIsRefused) {
  testing::run_task(ask_strange_ones({{{"issuer", "https://login.example.org"}},
                                      {{"issuer", nullptr}},
                                      {{"token_endpoint", nullptr}},
                                      {{"token_endpoint", "http://tokens.example.org/token"}},
                                      {{"jwks_uri", "http://127.0.0.2:80/keys"}},
                                      {{"jwks_uri", "file:///etc/passwd"}},
                                      {{"jwks_uri", "https://user:password@example.org/keys"}},
                                      {{"authorization_endpoint", "javascript:alert(1)"}},
                                      {{"authorization_endpoint", "https://example.org/#fragment"}},
                                      {{"device_authorization_endpoint", "http://192.0.2.1/device"}},
                                      {{"userinfo_endpoint", "http://192.0.2.1/userinfo"}}}));
}

Task<void> turn_the_keys() {
  OidcBench bench;
  co_await bench.start();
  auto first = co_await bench.log_in();
  EXPECT_TRUE(first);
  EXPECT_EQ(bench.provider.keys_asked, 1);
  bench.provider.key = auth::JwtSigningKey::make();
  bench.provider.jwks = {bench.provider.key.public_key().to_jwk()};
  auto second = co_await bench.log_in();
  EXPECT_TRUE(second) << "the new key was not fetched";
  EXPECT_EQ(bench.provider.keys_asked, 2);
  const auto stranger = auth::JwtSigningKey::make();
  bench.provider.sign = [stranger](const ProviderJson& claims) { return auth::sign_jwt(stranger, claims); };
  for (int i = 0; i < 3; ++i) {
    auto refused = co_await bench.log_in();
    EXPECT_EQ(testing::kind_of(refused), ErrorKind::kUnauthorized);
  }
  EXPECT_EQ(bench.provider.keys_asked, 2) << "keys are fetched more than once a minute";
  bench.clock.advance(OidcProvider::kUnknownKeyEvery);
  auto still = co_await bench.log_in();
  EXPECT_EQ(testing::kind_of(still), ErrorKind::kUnauthorized);
  EXPECT_EQ(bench.provider.keys_asked, 3);
  EXPECT_EQ(bench.provider.metadata_asked, 1);
  bench.clock.advance(OidcProvider::kKeysLast);
  bench.provider.sign = nullptr;
  auto last = co_await bench.log_in();
  EXPECT_TRUE(last);
  EXPECT_EQ(bench.provider.keys_asked, 4) << "a key that was withdrawn would count for ever";
  EXPECT_EQ(bench.provider.metadata_asked, 2);
  co_await bench.stop();
}

TEST(OidcProvider, ANewKeyIsFetchedOnceAndUnknownOnesOnceAMinute) { testing::run_task(turn_the_keys()); }

Task<void> use_strange_keys(const std::vector<std::vector<std::string>>& sets) {
  OidcBench bench;
  co_await bench.start();
  for (const auto& set : sets) {
    bench.provider.jwks = set;
    bench.begin_anew();
    auto person = co_await bench.log_in();
    unavailable(person);
  }
  co_await bench.stop();
}

TEST(OidcProvider, ASetOfTooManyKeysOrOfNoneIsRefused) {
  const std::string key = auth::JwtSigningKey::make().public_key().to_jwk();
  testing::run_task(
      use_strange_keys({{}, {R"({"kty":"oct","k":"AAAA"})"}, std::vector<std::string>(kMostKeys + 1, key)}));
}

Task<void> log_in_as_a_stranger() {
  OidcBench bench;
  co_await bench.start();
  bench.provider.is_public_client = true;  // and this one shows a secret all the same
  auto person = co_await bench.log_in();
  EXPECT_NE(unavailable(person).find("invalid_client"), std::string::npos);
  co_await bench.stop();
}

TEST(OidcProvider, OneThatDoesNotKnowThisRegistryIsAMatterForTheOperator) { testing::run_task(log_in_as_a_stranger()); }

}  // namespace
}  // namespace wherry::identity::oidc
