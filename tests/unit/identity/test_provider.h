// A small OpenID provider for tests, which can be told to do it wrong.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/auth/jwt_keys.h"
#include "common/base/clock.h"
#include "common/http/server.h"

struct evp_pkey_st;

namespace wherry::testing {

/// An RSA key that signs with RS256.
class RsaKey {
 public:
  RsaKey();
  std::string jwk(const std::string& kid) const;
  std::string sign(const std::string& message) const;

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

/// Knows one person and one client, "wherry" with the secret "se cret:1". Its clock is the test's.
class TestProvider final : public http::Service {
 public:
  using Json = nlohmann::json;
  static constexpr const char* kClient = "wherry";
  static constexpr const char* kSecret = "se cret:1";

  explicit TestProvider(const Clock& clock) : clock_(clock) {}

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

  /// A token with that header, of which `key` makes the signature.
  static std::string token(const Json& header, const Json& claims, const auth::JwtSigningKey& key);
  /// Ends the answers that never end.
  void release();

  // What it does, all of which a test may change:
  std::string url;  ///< of its server; its issuer
  auth::JwtSigningKey key = auth::JwtSigningKey::make();
  std::vector<std::string> jwks{key.public_key().to_jwk()};
  Json metadata;  ///< takes the place of members of what it says of itself
  Json person{{"sub", "4711"}, {"preferred_username", "Alice"}, {"email", "alice@example.org"}};
  std::function<void(Json& claims)> bend;
  std::function<std::string(const Json& claims)> sign;  ///< instead of an ordinary ES256 token
  bool takes_no_code = false;
  bool is_public_client = false;
  Json userinfo;  ///< what is told of the person beside the ID token; null: it has no such endpoint
  int userinfo_status = 200;
  std::string userinfo_type = "application/json";
  std::deque<std::string> device_refusals;  ///< given to one question after the other, before somebody logs in
  enum class Way { kWell, kSilent, kDrip, kEndless, kRedirect, kFails } way = Way::kWell;

  // What it was asked:
  int metadata_asked = 0;
  int keys_asked = 0;
  int tokens_asked = 0;
  int userinfo_asked = 0;
  std::string scope;

 private:
  struct Code {
    std::string nonce;
    std::string challenge;
    std::string redirect_uri;
  };
  Task<Result<void>> answer_badly(http::Exchange& exchange);
  http::Response answer(const http::Request& request, const std::string& body);
  http::Response authorize(const std::string& query);
  http::Response give_token(const std::string& form);
  Json described() const;
  bool is_client(const http::Request& request, const std::string& form) const;
  Json signed_in(const std::string& nonce) const;

  const Clock& clock_;
  std::map<std::string, Code> codes_;
  Event released_;
};

}  // namespace wherry::testing
