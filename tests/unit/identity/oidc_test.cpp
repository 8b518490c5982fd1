// Logins by browser, and what an ID token has to be.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "common/auth/jwt.h"
#include "common/base/base64.h"
#include "master/identity/oidc/id_token.h"
#include "tests/unit/identity/oidc_bench.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::identity::oidc {
namespace {

using nlohmann::json;
using testing::kind_of;
using testing::OidcBench;
using testing::run_task;
using testing::TestProvider;
using Person = MasterLogins::Person;

/// A login with a provider that was spoilt first.
struct SpoiltLogin {
  std::string what;
  std::function<void(TestProvider&)> spoil;
  std::string says{};  ///< stands in the error, if there is to be one
};

/// One login after the other, each with a provider and a master of its own making on the same server.
Task<std::vector<Result<Person>>> log_in_with_each(const std::vector<SpoiltLogin>& logins) {
  std::vector<Result<Person>> outcomes;
  for (const SpoiltLogin& login : logins) {
    OidcBench bench;
    co_await bench.start();
    login.spoil(bench.provider);
    bench.begin_anew();
    auto outcome = co_await bench.log_in();
    outcomes.push_back(std::move(outcome));
    co_await bench.stop();
  }
  co_return outcomes;
}

SpoiltLogin bent(std::string what, std::function<void(json&)> bend, std::string says = {}) {
  return {std::move(what), [bend = std::move(bend)](TestProvider& provider) { provider.bend = bend; }, std::move(says)};
}

SpoiltLogin with_header(std::string what, const json& more) {
  return {std::move(what), [more](TestProvider& provider) {
            provider.sign = [more, &provider](const json& claims) {
              json header{{"alg", "ES256"}, {"kid", provider.key.public_key().kid()}, {"typ", "JWT"}};
              header.update(more);
              return TestProvider::token(header, claims, provider.key);
            };
          }};
}

/// All of these have to log Alice in.
std::vector<SpoiltLogin> good_logins() {
  return {{"as it should be", [](TestProvider&) {}},
          bent("several audiences, and who asked",
               [](json& claims) { claims.update(json{{"aud", {"x", "wherry"}}, {"azp", "wherry"}}); }),
          bent("a list of one audience", [](json& claims) { claims["aud"] = json::array({"wherry"}); }),
          bent("a clock that is a little behind", [](json& claims) { claims["exp"] = claims["iat"].get<long>() - 30; }),
          bent("a time with a fraction", [](json& claims) { claims["exp"] = claims["exp"].get<double>() + 0.5; }),
          with_header("a header of others", {{"x5t", "abc"}, {"x5c", {"MIIB"}}}),
          {"without the name of a key",
           [](TestProvider& provider) {
             provider.sign = [&](const json& claims) {
               return TestProvider::token({{"alg", "ES256"}}, claims, provider.key);
             };
           }},
          {"a public client", [](TestProvider& provider) { provider.is_public_client = true; }},
          {"RS256", [](TestProvider& provider) {
             const testing::RsaKey key;
             provider.jwks = {R"({"kty":"oct","k":"AAAA","kid":"rsa"})", key.jwk("rsa")};
             provider.sign = [key](const json& claims) {
               const std::string text =
                   to_base64url(R"({"alg":"RS256","kid":"rsa"})") + "." + to_base64url(claims.dump());
               return text + "." + to_base64url(key.sign(text));
             };
           }}};
}

std::vector<SpoiltLogin> bad_claims() {
  return {bent(
              "another nonce", [](json& claims) { claims["nonce"] = "other"; }, "(nonce)"),
          bent(
              "no nonce", [](json& claims) { claims.erase("nonce"); }, "(nonce)"),
          bent(
              "another audience", [](json& claims) { claims["aud"] = "other"; }, "(aud)"),
          bent(
              "no audience", [](json& claims) { claims.erase("aud"); }, "(aud)"),
          bent(
              "other audiences", [](json& claims) { claims["aud"] = json::array({"x", "y"}); }, "(aud)"),
          bent(
              "several audiences and nobody who asked",
              [](json& claims) { claims["aud"] = json::array({"x", "wherry"}); }, "(azp)"),
          bent(
              "asked for by another", [](json& claims) { claims["azp"] = "other"; }, "(azp)"),
          bent(
              "another issuer", [](json& claims) { claims["iss"] = claims["iss"].get<std::string>() + "/"; }, "(iss)"),
          bent(
              "expired", [](json& claims) { claims["exp"] = claims["iat"].get<long>() - 61; }, "(exp)"),
          bent(
              "no end", [](json& claims) { claims.erase("exp"); }, "(exp)"),
          bent(
              "an end that is a text", [](json& claims) { claims["exp"] = "9999999999"; }, "(exp)"),
          bent(
              "an end beyond all times", [](json& claims) { claims["exp"] = 1e300; }, "(exp)"),
          bent(
              "no beginning", [](json& claims) { claims.erase("iat"); }, "(iat)"),
          bent(
              "made in the future", [](json& claims) { claims["iat"] = claims["iat"].get<long>() + 90; }, "(iat)"),
          bent(
              "made long ago", [](json& claims) { claims["iat"] = claims["iat"].get<long>() - 900; }, "(iat)"),
          bent(
              "does not hold yet", [](json& claims) { claims["nbf"] = claims["iat"].get<long>() + 90; }, "(nbf)"),
          bent(
              "nobody's", [](json& claims) { claims.erase("sub"); }, "(sub)"),
          bent(
              "no login name", [](json& claims) { claims.erase("preferred_username"); }, "claim preferred_username"),
          bent(
              "a login name that is none", [](json& claims) { claims["preferred_username"] = "a\nb"; },
              "claim preferred_username"),
          bent(
              "more groups than can be", [](json& claims) { claims["groups"] = std::vector<std::string>(1001, "g"); },
              "1000 groups")};
}

std::vector<SpoiltLogin> bad_signatures() {
  const auto signs = [](std::string what, std::function<std::string(TestProvider&, const json&)> sign) {
    return SpoiltLogin{std::move(what), [sign = std::move(sign)](TestProvider& provider) {
                         provider.sign = [sign, &provider](const json& claims) { return sign(provider, claims); };
                       }};
  };
  const auto stranger = auth::JwtSigningKey::make();
  return {signs("a key that the provider does not have",
                [stranger](TestProvider&, const json& claims) { return auth::sign_jwt(stranger, claims); }),
          signs("a stranger's key under the provider's name",
                [stranger](TestProvider& provider, const json& claims) {
                  return TestProvider::token({{"alg", "ES256"}, {"kid", provider.key.public_key().kid()}}, claims,
                                             stranger);
                }),
          signs("a key in the header",
                [stranger](TestProvider&, const json& claims) {
                  const json jwk = json::parse(stranger.public_key().to_jwk());
                  return TestProvider::token({{"alg", "ES256"}, {"jwk", jwk}}, claims, stranger);
                }),
          signs("alg none",
                [](TestProvider&, const json& claims) {
                  return to_base64url(R"({"alg":"none"})") + "." + to_base64url(claims.dump()) + ".";
                }),
          signs("HS256",
                [](TestProvider& provider, const json& claims) {
                  return TestProvider::token({{"alg", "HS256"}, {"kid", provider.key.public_key().kid()}}, claims,
                                             provider.key);
                }),
          signs("other claims than were signed",
                [](TestProvider& provider, const json& claims) {
                  std::string token = auth::sign_jwt(provider.key, claims);
                  json other = claims;
                  other["sub"] = "0815";
                  const auto first = token.find('.');
                  const auto last = token.rfind('.');
                  return token.substr(0, first + 1) + to_base64url(other.dump()) + token.substr(last);
                }),
          with_header("a header that has to be understood", {{"crit", {"exp"}}, {"exp", 1}}),
          with_header("claims that are not encoded", {{"b64", false}}),
          signs("no token", [](TestProvider&, const json&) { return std::string("x"); })};
}

TEST(OidcCodeFlow, NamesThePersonWhoLoggedIn) {
  const auto logins = good_logins();
  const auto people = run_task(log_in_with_each(logins));
  for (std::size_t i = 0; i < logins.size(); ++i) {
    ASSERT_TRUE(people[i]) << logins[i].what << ": " << people[i].error().to_string();
    EXPECT_TRUE(people[i]->external_id.ends_with("#4711")) << people[i]->external_id;
    EXPECT_TRUE(people[i]->external_id.starts_with("http://127.0.0.1:")) << people[i]->external_id;
    EXPECT_EQ(people[i]->name, "alice") << logins[i].what;
    EXPECT_EQ(people[i]->mail, "alice@example.org");
    EXPECT_TRUE(people[i]->groups.empty());
  }
}

TEST(OidcCodeFlow, RefusesATokenThatIsNotForThisLoginHereAndNow) {
  const auto logins = bad_claims();
  const auto outcomes = run_task(log_in_with_each(logins));
  for (std::size_t i = 0; i < logins.size(); ++i) {
    ASSERT_EQ(kind_of(outcomes[i]), ErrorKind::kUnauthorized) << logins[i].what;
    EXPECT_NE(outcomes[i].error().message().find(logins[i].says), std::string::npos)
        << logins[i].what << ": " << outcomes[i].error().message();
  }
}

TEST(OidcCodeFlow, RefusesATokenThatTheProviderDidNotSign) {
  const auto logins = bad_signatures();
  const auto outcomes = run_task(log_in_with_each(logins));
  for (std::size_t i = 0; i < logins.size(); ++i)
    EXPECT_EQ(kind_of(outcomes[i]), ErrorKind::kUnauthorized) << logins[i].what;
}

TEST(OidcCodeFlow, GroupsAreAListOrOneName) {
  const auto groups = [](const json& value) {
    return bent(value.dump(), [value](json& claims) { claims["groups"] = value; });
  };
  const std::vector<SpoiltLogin> logins{groups({"b", "a", "b", 7,
                                                "with\x01"
                                                "control",
                                                ""}),
                                        groups("one"), groups(json::array()), groups(5)};
  const auto people = run_task(log_in_with_each(logins));
  using Names = std::vector<std::string>;
  const std::vector<Names> expected{{"a", "b"}, {"one"}, {}, {}};
  for (std::size_t i = 0; i < logins.size(); ++i) {
    ASSERT_TRUE(people[i]) << people[i].error().to_string();
    EXPECT_EQ(people[i]->groups, expected[i]) << logins[i].what;
  }
}

Task<void> use_states_again() {
  OidcBench bench;
  co_await bench.start();
  std::string back(OidcBench::kBack);
  auto begun = co_await bench.codes->begin(back);
  EXPECT_TRUE(begun);
  const std::string first = co_await bench.follow(begun->url);
  const std::string query = first.substr(first.find('?') + 1);
  const std::string code = http::query_value(query, "code").value_or("");
  auto person = co_await bench.codes->finish(begun->state, code);
  EXPECT_TRUE(person);
  const std::string second = co_await bench.follow(begun->url);
  const std::string fresh = http::query_value(second.substr(second.find('?') + 1), "code").value_or("");
  const int asked = bench.provider.tokens_asked;
  auto again = co_await bench.codes->finish(begun->state, fresh);
  EXPECT_EQ(kind_of(again), ErrorKind::kNotFound);
  auto unknown = co_await bench.codes->finish("0123", fresh);
  EXPECT_EQ(kind_of(unknown), ErrorKind::kNotFound);
  auto late = co_await bench.codes->begin(back);
  const std::string third = co_await bench.follow(late->url);
  const std::string unused = http::query_value(third.substr(third.find('?') + 1), "code").value_or("");
  bench.clock.advance(std::chrono::minutes(10));
  auto expired = co_await bench.codes->finish(late->state, unused);
  EXPECT_EQ(kind_of(expired), ErrorKind::kNotFound);
  EXPECT_EQ(bench.provider.tokens_asked, asked) << "the provider was asked for a login that does not count";
  co_await bench.stop();
}

TEST(OidcCodeFlow, AStateIsOfUseOnceAndForTenMinutes) { run_task(use_states_again()); }

TEST(OidcCodeFlow, ACodeThatTheProviderRefusesIsOfNoUse) {
  const std::vector<SpoiltLogin> logins{{"refused", [](TestProvider& provider) { provider.takes_no_code = true; }}};
  const auto outcomes = run_task(log_in_with_each(logins));
  ASSERT_EQ(kind_of(outcomes[0]), ErrorKind::kUnauthorized);
  EXPECT_NE(outcomes[0].error().message().find("invalid_grant"), std::string::npos);
}

TEST(OidcIdToken, AMailAddressNamesSomebodyOnlyWhenItIsHis) {
  OidcOptions options;
  options.issuer = "https://login.example.org";
  options.login_claim = "email";
  json claims{{"sub", "1"}, {"email", "a@example.org"}};
  EXPECT_TRUE(read_person(claims, options));
  for (const json& yes : {json(true), json("true")}) {
    claims["email_verified"] = yes;
    EXPECT_TRUE(read_person(claims, options)) << yes;
  }
  for (const json& no : {json(false), json("false"), json(nullptr), json(1)}) {
    claims["email_verified"] = no;
    EXPECT_FALSE(read_person(claims, options)) << no;
  }
}

TEST(OidcPending, TheOldestGivesWay) {
  const testing::TurnedClock clock;
  Pending<int> pending(clock);
  const std::string first = pending.put(1, std::chrono::minutes(1));
  const std::string second = pending.put(2, std::chrono::minutes(1));
  for (std::size_t i = 2; i <= Pending<int>::kMost; ++i) pending.put(3, std::chrono::minutes(1));
  EXPECT_EQ(pending.size(), Pending<int>::kMost);
  EXPECT_EQ(pending.find(first), nullptr);
  EXPECT_EQ(pending.take(second), 2);
  EXPECT_EQ(pending.take(second), std::nullopt);
}

}  // namespace
}  // namespace wherry::identity::oidc
