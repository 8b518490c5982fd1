#include "tests/unit/identity/test_provider.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/async/sleep.h"
#include "common/auth/jwt.h"
#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/http/uri.h"

namespace wherry::testing {
namespace {

using Json = nlohmann::json;

std::string in_form(const std::string& form, std::string_view name) {
  return http::query_value(form, name).value_or(std::string());
}

http::Response json_response(int status, const Json& document) {
  return http::Response(status).body("application/json", document.dump());
}

http::Response refusal_response(const std::string& code) { return json_response(400, Json{{"error", code}}); }

std::string number_of(const evp_pkey_st* key, const char* name) {
  BIGNUM* number = nullptr;
  WHERRY_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  BN_free(number);
  return to_base64url(bytes);
}

}  // namespace

RsaKey::RsaKey() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}), EVP_PKEY_free) {}

std::string RsaKey::jwk(const std::string& kid) const {
  return Json{{"kty", "RSA"},
              {"use", "sig"},
              {"alg", "RS256"},
              {"kid", kid},
              {"x5c", Json::array({"MIIB"})},
              {"n", number_of(key_.get(), OSSL_PKEY_PARAM_RSA_N)},
              {"e", number_of(key_.get(), OSSL_PKEY_PARAM_RSA_E)}}
      .dump();
}

std::string RsaKey::sign(const std::string& message) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  WHERRY_CHECK(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
  WHERRY_CHECK(EVP_DigestSign(context, nullptr, &size, bytes, message.size()) == 1);
  std::string signature(size, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  WHERRY_CHECK(EVP_DigestSign(context, out, &size, bytes, message.size()) == 1);
  EVP_MD_CTX_free(context);
  return signature;
}

std::string TestProvider::token(const Json& header, const Json& claims, const auth::JwtSigningKey& key) {
  const std::string text = to_base64url(header.dump()) + "." + to_base64url(claims.dump());
  return text + "." + to_base64url(key.sign(text));
}

void TestProvider::release() { released_.set(); }

http::Response TestProvider::render(const Error& error) const {
  return http::Response(500).body("text/plain", error.message());
}

Task<Result<void>> TestProvider::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  auto body = co_await exchange.read_whole_body(64 * 1024);
  if (!body) co_return body.error();
  if (way != Way::kWell) co_return co_await answer_badly(exchange);
  http::Response response = answer(request, *body);
  co_return co_await exchange.send(std::move(response));
}

Task<Result<void>> TestProvider::answer_badly(http::Exchange& exchange) {
  http::Response response(way == Way::kRedirect ? 307 : way == Way::kFails ? 500 : 200);
  if (way == Way::kRedirect) response.header("Location", url + "/elsewhere");
  if (way == Way::kRedirect || way == Way::kFails) co_return co_await exchange.send(std::move(response));
  if (way == Way::kSilent) {
    co_await released_.wait();
    co_return co_await exchange.send(std::move(response));
  }
  auto begun = co_await exchange.begin_stream(std::move(response));
  if (!begun) co_return begun;
  const std::string piece(way == Way::kDrip ? 500 : 64 * 1024, ' ');
  constexpr int kPieces = 160;  // 10 MiB
  for (int i = 0; i < kPieces && !released_.is_set(); ++i) {
    auto sent = co_await exchange.send_piece(piece);
    if (!sent) co_return sent;
    if (way == Way::kDrip) co_await sleep_for(std::chrono::milliseconds(50));
  }
  co_return co_await exchange.end_stream();
}

http::Response TestProvider::answer(const http::Request& request, const std::string& body) {
  if (request.path == "/.well-known/openid-configuration") {
    ++metadata_asked;
    return json_response(200, described());
  }
  if (request.path == "/keys") {
    ++keys_asked;
    Json set{{"keys", Json::array()}};
    for (const std::string& jwk : jwks) set["keys"].push_back(Json::parse(jwk));
    return json_response(200, set);
  }
  if (request.path == "/authorize") return authorize(std::string(request.query));
  if (request.path == "/userinfo") {
    ++userinfo_asked;
    if (request.header("authorization") != "Bearer the+access/token==") return http::Response(401);
    return http::Response(userinfo_status).body(userinfo_type, userinfo.dump());
  }
  if (!is_client(request, body)) return json_response(401, Json{{"error", "invalid_client"}});
  if (request.path == "/token") return give_token(body);
  if (request.path != "/device") return http::Response(404);
  scope = in_form(body, "scope");
  return json_response(200, Json{{"device_code", "the-device-code"},
                                 {"user_code", "WXYZ-1234"},
                                 {"verification_uri", url + "/activate"},
                                 {"verification_uri_complete", url + "/activate?code=WXYZ-1234"},
                                 {"interval", 5},
                                 {"expires_in", 600}});
}

Json TestProvider::described() const {
  Json document{{"issuer", url},
                {"authorization_endpoint", url + "/authorize?realm=x"},
                {"token_endpoint", url + "/token"},
                {"jwks_uri", url + "/keys"},
                {"device_authorization_endpoint", url + "/device"},
                {"claims_supported", Json::array({"sub"})}};
  if (!userinfo.is_null()) document["userinfo_endpoint"] = url + "/userinfo";
  if (metadata.is_object()) document.update(metadata);
  return document;
}

bool TestProvider::is_client(const http::Request& request, const std::string& form) const {
  if (is_public_client) return !request.has_header("authorization") && in_form(form, "client_id") == kClient;
  return request.header("authorization") == "Basic " + to_base64("wherry:se%20cret%3A1");
}

http::Response TestProvider::authorize(const std::string& query) {
  const bool is_right = in_form(query, "realm") == "x" && in_form(query, "response_type") == "code" &&
                        in_form(query, "client_id") == kClient && in_form(query, "code_challenge_method") == "S256";
  if (!is_right) return http::Response(400);
  scope = in_form(query, "scope");
  const std::string code = random_hex(8) + "+/&";
  Code given;
  given.nonce = in_form(query, "nonce");
  given.challenge = in_form(query, "code_challenge");
  given.redirect_uri = in_form(query, "redirect_uri");
  codes_[code] = given;
  return http::Response(307).header(
      "Location", given.redirect_uri + "?code=" + http::percent_encode(code) + "&state=" + in_form(query, "state"));
}

Json TestProvider::signed_in(const std::string& nonce) const {
  const auto now = to_millis(clock_.wall()) / 1000;
  Json claims = person;
  claims.update(Json{{"iss", url}, {"aud", kClient}, {"iat", now}, {"exp", now + 300}});
  if (!nonce.empty()) claims["nonce"] = nonce;
  if (bend) bend(claims);
  return claims;
}

http::Response TestProvider::give_token(const std::string& form) {
  ++tokens_asked;
  std::string nonce;
  if (in_form(form, "grant_type") == "authorization_code") {
    const auto code = codes_.find(in_form(form, "code"));
    if (takes_no_code || code == codes_.end()) return refusal_response("invalid_grant");
    const Code given = code->second;
    codes_.erase(code);
    const Sha256 hash = sha256(in_form(form, "code_verifier"));
    if (to_base64url(as_text(hash)) != given.challenge || in_form(form, "redirect_uri") != given.redirect_uri)
      return refusal_response("invalid_grant");
    nonce = given.nonce;
  } else if (in_form(form, "grant_type") == "urn:ietf:params:oauth:grant-type:device_code") {
    if (in_form(form, "device_code") != "the-device-code") return refusal_response("invalid_grant");
    if (!device_refusals.empty()) {
      const std::string refusal = device_refusals.front();
      device_refusals.pop_front();
      return refusal_response(refusal);
    }
  } else {
    return refusal_response("unsupported_grant_type");
  }
  const Json claims = signed_in(nonce);
  const std::string id_token = sign ? sign(claims) : auth::sign_jwt(key, claims);
  return json_response(200,
                       Json{{"access_token", "the+access/token=="}, {"token_type", "Bearer"}, {"id_token", id_token}});
}

}  // namespace wherry::testing
