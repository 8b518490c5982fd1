#include "common/auth/jwt.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/base64.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::auth {
namespace {

using nlohmann::json;

/// A token whose header is that text.
std::string token_with(const JwtSigningKey& key, const std::string& header) {
  const std::string text = to_base64url(header) + "." + to_base64url(R"({"sub":"x"})");
  return text + "." + to_base64url(key.sign(text));
}

TEST(Jwt, WhatAHeaderMayHoldDependsOnWhoseTokensAreMeant) {
  const auto key = JwtSigningKey::make();
  const std::vector<PublicJwtKey> keys{key.public_key()};
  struct Case {
    std::string header;
    bool is_ours;
    bool is_foreign;
  };
  const std::vector<Case> cases{{R"({"alg":"ES256"})", true, true},
                                {R"({"alg":"ES256","typ":"JWT"})", true, true},
                                {R"({"alg":"ES256","x5t":"a"})", false, true},
                                {R"({"alg":"ES256","x5c":["a","b"]})", false, true},
                                {R"({"alg":"ES256","jku":"https://example.org/keys"})", false, true},
                                {R"({"alg":"ES256","jwk":{"kty":"EC","x5c":["a"]}})", false, true},
                                {R"({"alg":"ES256","a":{"b":{"c":{"d":{}}}}})", false, false},
                                {R"({"alg":"ES256","x5t":"a","x5t":"b"})", false, false},
                                {R"({"alg":"ES256","crit":[]})", false, false},
                                {R"({"alg":"ES256","crit":["exp"],"exp":1})", false, false},
                                {R"({"alg":"ES256","b64":false})", false, false},
                                {R"({"alg":"ES256","zip":"DEF"})", false, false},
                                {R"({"alg":["ES256"]})", false, false},
                                {R"({"alg":"ES256","kid":7})", false, false},
                                {R"({"alg":"none"})", false, false},
                                {R"({"alg":"HS256"})", false, false},
                                {R"({})", false, false},
                                {R"([])", false, false}};
  for (const Case& each : cases) {
    const std::string token = token_with(key, each.header);
    EXPECT_EQ(verify_jwt(token, keys).has_value(), each.is_ours) << each.header;
    EXPECT_EQ(verify_jwt(token, keys, JwtHeader::kForeign).has_value(), each.is_foreign) << each.header;
  }
}

TEST(Jwt, SaysWhichKeyItIsSignedBy) {
  const auto key = JwtSigningKey::make();
  EXPECT_EQ(kid_of_jwt(sign_jwt(key, json::object())), key.public_key().kid());
  EXPECT_EQ(kid_of_jwt(token_with(key, R"({"alg":"ES256","x5t":"a","kid":"b"})")), "b");
  for (const std::string& none : {token_with(key, R"({"alg":"ES256"})"), token_with(key, R"({"kid":7})"),
                                  std::string("a.b"), std::string(), std::string(kMaxTokenBytes + 1, 'a')})
    EXPECT_EQ(kid_of_jwt(none), "");
}

}  // namespace
}  // namespace wherry::auth
