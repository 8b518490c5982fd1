#include "common/auth/claims.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "common/auth/jwt.h"
#include "common/base/base64.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::auth {
namespace {

using nlohmann::json;
using testing::kind_of;

constexpr WallTime kNow = WallTime(std::chrono::milliseconds(1'790'000'000'500));

struct ClaimsTest : ::testing::Test {
  JwtSigningKey key = JwtSigningKey::make();
  AccessSettings settings;
  Claims claims;

  ClaimsTest() {
    settings.keys.push_back(key.public_key());
    claims.id = "t1";
    claims.expires = kNow + std::chrono::minutes(5);
    claims.who.kind = Identity::Kind::kUser;
    claims.who.id = "u-1";
    claims.who.name = "alice";
    claims.who.as_of = kNow;
    claims.who.groups = {"g-1"};
    claims.access.push_back({.scope = *Scope::parse("repository:team/app:pull"), .project_id = "p-1"});
  }
  std::string token() const { return sign_claims(key, claims, "m", settings.service, kNow); }
  /// The token's claims as `change` leaves them, signed anew.
  std::string changed(const std::function<void(json&)>& change) const {
    json document = *verify_jwt(token(), settings.keys);
    change(document);
    return sign_jwt(key, document);
  }
  std::optional<ErrorKind> refusal(const std::string& text, WallTime now = kNow) const {
    return kind_of(read_claims(text, settings, now));
  }
};

TEST_F(ClaimsTest, AreReadAsTheyWereSigned) {
  const auto read = read_claims(token(), settings, kNow);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->who.id, "u-1");
  EXPECT_EQ(read->who.groups, std::vector<std::string>{"g-1"});
  EXPECT_EQ(read->who.as_of, kNow);
  EXPECT_TRUE(read->covers("repository", "team/app", "p-1", Scope::Action::kPull));
  EXPECT_FALSE(read->covers("repository", "team/app", "p-2", Scope::Action::kPull));
  EXPECT_FALSE(read->covers("repository", "team/app", "p-1", Scope::Action::kPush));
  EXPECT_FALSE(read->covers("repository", "team/other", "p-1", Scope::Action::kPull));
}

TEST_F(ClaimsTest, KeepWhenTheirOwnerWasFoundOutAndNoneMeansWhenTheyWereSigned) {
  claims.who.as_of = kNow - std::chrono::milliseconds(2500);
  claims.who.groups.clear();
  const auto read = read_claims(token(), settings, kNow);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->who.as_of, kNow - std::chrono::milliseconds(2500));
  EXPECT_TRUE(read->who.groups.empty());
  const auto later = [](json& c) { c["as_of_ms"] = 1790000009000; };
  EXPECT_EQ(read_claims(changed(later), settings, kNow)->who.as_of, kNow);
  const auto signed_at = [](json& c) {
    c["ms"] = 250;
    c.erase("as_of_ms");
  };
  EXPECT_EQ(read_claims(changed(signed_at), settings, kNow)->who.as_of, kNow - std::chrono::milliseconds(250));
}

TEST_F(ClaimsTest, CountFromWhenTheyWereSignedUntilTheyExpire) {
  EXPECT_TRUE(read_claims(token(), settings, kNow - kTokenSkew));
  EXPECT_EQ(refusal(token(), kNow - kTokenSkew - std::chrono::seconds(2)), ErrorKind::kUnauthorized);
  // A client that was told "five minutes" uses it until then, and its last request takes a while to arrive.
  const WallTime told = kNow + std::chrono::minutes(5);
  EXPECT_TRUE(read_claims(token(), settings, told));
  EXPECT_TRUE(read_claims(token(), settings, told + kTokenSkew - std::chrono::seconds(1)));
  EXPECT_EQ(refusal(token(), told + kTokenSkew), ErrorKind::kUnauthorized);
  EXPECT_EQ(read_claims(token(), settings, kNow)->expires + std::chrono::milliseconds(500), told + kTokenSkew);
  EXPECT_EQ(refusal(token(), kNow + std::chrono::years(10)), ErrorKind::kUnauthorized);
  EXPECT_EQ(refusal(token(), kNow - std::chrono::years(10)), ErrorKind::kUnauthorized);
}

TEST_F(ClaimsTest, OddOnesAreRefusedThoughTheyAreSigned) {
  const std::vector<std::pair<const char*, std::function<void(json&)>>> cases = {
      {"no aud", [](json& c) { c.erase("aud"); }},
      {"empty aud", [](json& c) { c["aud"] = ""; }},
      {"aud of a list", [](json& c) { c["aud"] = json::array({"wherry"}); }},
      {"no aud in a list", [](json& c) { c["aud"] = json::array(); }},
      {"other aud", [](json& c) { c["aud"] = "wherry2"; }},
      {"no iat", [](json& c) { c.erase("iat"); }},
      {"text iat", [](json& c) { c["iat"] = "1790000000"; }},
      {"iat of a fraction", [](json& c) { c["iat"] = 1790000000.5; }},
      {"negative iat", [](json& c) { c["iat"] = -1; }},
      {"no ms", [](json& c) { c.erase("ms"); }},
      {"ms of another second", [](json& c) { c["ms"] = 1000; }},
      {"ms before its second", [](json& c) { c["ms"] = -1; }},
      {"as_of_ms of a text", [](json& c) { c["as_of_ms"] = "now"; }},
      {"no exp", [](json& c) { c.erase("exp"); }},
      {"huge exp", [](json& c) { c["exp"] = 18446744073709551615ULL; }},
      {"far exp", [](json& c) { c["exp"] = 1790000000 + 100000; }},
      {"nbf of a text", [](json& c) { c["nbf"] = "1790000000"; }},
      {"nbf to come", [](json& c) { c["nbf"] = 1790000000 + 200; }},
      {"no jti", [](json& c) { c.erase("jti"); }},
      {"no sub", [](json& c) { c.erase("sub"); }},
      {"empty sub", [](json& c) { c["sub"] = ""; }},
      {"number sub", [](json& c) { c["sub"] = 1; }},
      {"kind of a node", [](json& c) { c["kind"] = "node"; }},
      {"kind of everyone", [](json& c) { c["kind"] = "everyone"; }},
      {"groups of numbers", [](json& c) { c["groups"] = json::array({1}); }},
      {"access of a text", [](json& c) { c["access"] = "all"; }},
      {"access of texts", [](json& c) { c["access"] = json::array({"repository:a:pull"}); }},
      {"anonymous with an id", [](json& c) { c["kind"] = "anonymous"; }},
  };
  for (const auto& [name, change] : cases) EXPECT_EQ(refusal(changed(change)), ErrorKind::kUnauthorized) << name;
  EXPECT_TRUE(read_claims(changed([](json&) {}), settings, kNow));
}

TEST_F(ClaimsTest, KeysThatAreNotAnnouncedDoNotCount) {
  const JwtSigningKey other = JwtSigningKey::make();
  EXPECT_EQ(refusal(sign_claims(other, claims, "m", "wherry", kNow)), ErrorKind::kUnauthorized);
  settings.keys.push_back(other.public_key());
  EXPECT_TRUE(read_claims(sign_claims(other, claims, "m", "wherry", kNow), settings, kNow));
  settings.keys.clear();
  EXPECT_EQ(refusal(token()), ErrorKind::kUnauthorized);
}

TEST_F(ClaimsTest, NoBitOfATokenCanBeChanged) {
  const std::string whole = token();
  for (std::size_t i = 0; i < whole.size(); i += 3) {
    std::string other = whole;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(refusal(other), ErrorKind::kUnauthorized) << i;
    EXPECT_EQ(refusal(whole.substr(0, i)), ErrorKind::kUnauthorized) << i;
  }
}

TEST_F(ClaimsTest, AMemberThatComesTwiceIsRefused) {
  const std::string header = to_base64url(R"({"alg":"ES256","alg":"ES256"})");
  const std::string text = header + "." + to_base64url("{}");
  const std::string signed_text = text + "." + to_base64url(key.sign(text));
  EXPECT_EQ(refusal(signed_text), ErrorKind::kUnauthorized);
  EXPECT_TRUE(strict_object(R"({"a":{"b":1},"c":{"b":2}})", 4).is_object());
  EXPECT_TRUE(strict_object(R"({"a":1,"a":2})", 4).is_null());
  EXPECT_TRUE(strict_object(R"({"a":{"b":1,"b":1}})", 4).is_null());
  EXPECT_TRUE(strict_object(R"({"a":[[[[]]]]})", 4).is_null());
  EXPECT_TRUE(strict_object("[]", 4).is_null());
  EXPECT_TRUE(strict_object("{} x", 4).is_null());
}

TEST(JwtKeys, AreReadBackFromWhatIsAnnounced) {
  const JwtSigningKey made = JwtSigningKey::make();
  const auto read = PublicJwtKey::from_jwk(made.public_key().to_jwk());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->kid(), made.public_key().kid());
  EXPECT_TRUE(read->verify("x", made.sign("x")));
  EXPECT_FALSE(read->verify("y", made.sign("x")));
  EXPECT_FALSE(read->verify("x", std::string(64, '\0')));
  EXPECT_FALSE(read->verify("x", ""));
  const auto again = JwtSigningKey::from_pem(made.pem());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key().kid(), made.public_key().kid());
}

TEST(JwtKeys, WhatIsNoKeyIsRefused) {
  for (const char* jwk :
       {"", "[]", "{}", R"({"kty":"oct","k":"AAAA"})", R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})",
        R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})", R"({"kty":"EC","crv":1})",
        R"({"kty":"RSA","n":"AQAB","e":"AQAB"})", R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"})
    EXPECT_EQ(kind_of(PublicJwtKey::from_jwk(jwk)), ErrorKind::kInvalid) << jwk;
}

}  // namespace
}  // namespace wherry::auth
