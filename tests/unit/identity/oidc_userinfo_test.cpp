// What a provider tells of somebody beside the ID token.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "master/identity/oidc/userinfo.h"
#include "tests/unit/identity/oidc_bench.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::identity::oidc {
namespace {

using testing::OidcBench;
using testing::TestProvider;
using InfoJson = nlohmann::json;

struct ToldPerson {
  std::string what;
  std::function<void(TestProvider&)> prepare;
  int asked = 1;
  std::optional<ErrorKind> fails = std::nullopt;
  std::string name = "alice";
  std::vector<std::string> groups{};
};

Task<void> log_in_told(const std::vector<ToldPerson>& cases) {
  for (const ToldPerson& each : cases) {
    OidcBench bench;
    co_await bench.start();
    each.prepare(bench.provider);
    bench.begin_anew();
    auto person = co_await bench.log_in();
    EXPECT_EQ(bench.provider.userinfo_asked, each.asked) << each.what;
    if (each.fails) {
      EXPECT_EQ(testing::kind_of(person), *each.fails) << each.what;
    } else {
      EXPECT_TRUE(person) << each.what << ": " << person.error().to_string();
      if (person) {
        EXPECT_EQ(person->name, each.name) << each.what;
        EXPECT_EQ(person->groups, each.groups) << each.what;
      }
    }
    co_await bench.stop();
  }
}

const InfoJson kTold{{"sub", "4711"}, {"preferred_username", "Alison"}, {"groups", {"staff"}}};

TEST(OidcUserinfo, TellsWhatTheIdTokenLeavesOutAndNothingElse) {
  const std::vector<ToldPerson> cases{
      {"groups are told there",
       [](TestProvider& provider) { provider.userinfo = kTold; },
       1,
       std::nullopt,
       "alice",
       {"staff"}},
      {"what the token says stands",
       [](TestProvider& provider) {
         provider.userinfo = kTold;
         provider.person["groups"] = {"of-the-token"};
       },
       0,
       std::nullopt,
       "alice",
       {"of-the-token"}},
      {"the name is told there",
       [](TestProvider& provider) {
         provider.userinfo = kTold;
         provider.person.erase("preferred_username");
       },
       1,
       std::nullopt,
       "alison",
       {"staff"}},
      {"issuer and audience are the token's",
       [](TestProvider& provider) {
         provider.userinfo = kTold;
         provider.userinfo["iss"] = "https://evil.example";
         provider.userinfo["email"] = "other@example.org";
       },
       1,
       std::nullopt,
       "alice",
       {"staff"}},
      {"there is no such endpoint", [](TestProvider&) {}, 0},
  };
  testing::run_task(log_in_told(cases));
}

TEST(OidcUserinfo, SomebodyElsesIsRefused) {
  std::vector<ToldPerson> cases;
  for (const InfoJson& subject : {InfoJson("4712"), InfoJson(4711), InfoJson(), InfoJson("")})
    cases.push_back({"sub " + subject.dump(),
                     [subject](TestProvider& provider) {
                       provider.userinfo = kTold;
                       provider.userinfo["sub"] = subject;
                     },
                     1, ErrorKind::kUnauthorized});
  cases.push_back({"without sub",
                   [](TestProvider& provider) {
                     provider.userinfo = kTold;
                     provider.userinfo.erase("sub");
                   },
                   1, ErrorKind::kUnauthorized});
  testing::run_task(log_in_told(cases));
}

TEST(OidcUserinfo, OneThatTellsNothingCostsTheGroupsAndOneThatIsAwayTheLogin) {
  const auto with = [](int status, std::string type, bool has_name) {
    return [=](TestProvider& provider) {
      provider.userinfo = kTold;
      provider.userinfo_status = status;
      provider.userinfo_type = type;
      if (!has_name) provider.person.erase("preferred_username");
    };
  };
  const std::vector<ToldPerson> cases{
      {"refused", with(403, "application/json", true)},
      {"refused, and no name", with(403, "application/json", false), 1, ErrorKind::kUnauthorized},
      {"signed", with(200, "application/jwt", true)},
      {"signed, and no name", with(200, "application/jwt", false), 1, ErrorKind::kUnauthorized},
      {"a page", with(200, "text/html", true)},
      {"away", with(503, "application/json", true), 1, ErrorKind::kUnavailable},
      {"busy", with(429, "application/json", true), 1, ErrorKind::kUnavailable},
      {"a redirect", with(302, "application/json", true), 1, ErrorKind::kUnavailable},
      {"too much",
       [](TestProvider& provider) {
         provider.userinfo = kTold;
         provider.userinfo["padding"] = std::string(Questions::kMaxAnswerBytes, 'x');
       },
       1, ErrorKind::kUnavailable},
      {"no object", [](TestProvider& provider) { provider.userinfo = InfoJson::array({"sub"}); }},
  };
  testing::run_task(log_in_told(cases));
}

TEST(OidcUserinfo, AMailAddressIsVerifiedByWhoSaysIt) {
  OidcOptions options;
  options.login_claim = "email";
  const InfoJson token{{"sub", "1"}, {"email_verified", true}};
  const auto unverified =
      with_userinfo(token, InfoJson{{"sub", "1"}, {"email", "a@example.org"}, {"email_verified", false}}, options);
  ASSERT_TRUE(unverified);
  EXPECT_EQ((*unverified)["email_verified"], false);
  const auto of_token =
      with_userinfo(InfoJson{{"sub", "1"}, {"email", "b@example.org"}, {"email_verified", false}},
                    InfoJson{{"sub", "1"}, {"email", "a@example.org"}, {"email_verified", true}}, options);
  ASSERT_TRUE(of_token);
  EXPECT_EQ((*of_token)["email"], "b@example.org");
  EXPECT_EQ((*of_token)["email_verified"], false);
}

TEST(OidcUserinfo, AnAccessTokenThatWouldBreakAHeaderIsNotShown) {
  EXPECT_TRUE(is_bearer_token("aZ09-._~+/=="));
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\r\nX: y"), std::string("a\0b", 3),
                                 std::string("a\"b"), std::string(kMaxAccessTokenBytes + 1, 'a')})
    EXPECT_FALSE(is_bearer_token(bad)) << bad;
}

}  // namespace
}  // namespace wherry::identity::oidc
