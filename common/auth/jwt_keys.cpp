#include "common/auth/jwt_keys.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>

#include <array>
#include <nlohmann/json.hpp>

#include "common/auth/openssl_types.h"
#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/sha256.h"

namespace wherry::auth {
namespace {

using JwkJson = nlohmann::json;

constexpr std::string_view kEs256 = "ES256";
constexpr std::string_view kRs256 = "RS256";
constexpr std::string_view kEdDsa = "EdDSA";
constexpr std::size_t kNumberBytes = 32;  // of r and of s, and of a coordinate of P-256
constexpr std::size_t kEd25519Bytes = 32;
constexpr std::size_t kMaxRsaBytes = 1024;  // 8192 bits: a longer key is there to cost time
constexpr int kLeastRsaBits = 2048;
constexpr std::size_t kKidDigits = 16;

using Key = std::shared_ptr<evp_pkey_st>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

struct FreeParams {
  void operator()(OSSL_PARAM_BLD* object) const { ::OSSL_PARAM_BLD_free(object); }
  void operator()(OSSL_PARAM* object) const { ::OSSL_PARAM_free(object); }
  void operator()(EVP_PKEY_CTX* object) const { ::EVP_PKEY_CTX_free(object); }
  void operator()(ECDSA_SIG* object) const { ::ECDSA_SIG_free(object); }
};
template <class T>
using OwnedParams = std::unique_ptr<T, FreeParams>;

Key key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const OwnedParams<OSSL_PARAM> parameters(::OSSL_PARAM_BLD_to_param(builder));
  const OwnedParams<EVP_PKEY_CTX> context(::EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (!parameters || !context || ::EVP_PKEY_fromdata_init(context.get()) != 1 ||
      ::EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return Key(made, ::EVP_PKEY_free);
}

/// A member of base64url, decoded; empty when it is not there or is none.
std::string part(const JwkJson& jwk, const char* member) {
  const auto found = jwk.find(member);
  if (found == jwk.end() || !found->is_string()) return {};
  return from_base64url(found->get_ref<const std::string&>()).value_or(std::string());
}

Key ec_key(const JwkJson& jwk) {
  const std::string x = part(jwk, "x");
  const std::string y = part(jwk, "y");
  if (jwk.value("crv", "") != "P-256" || x.size() != kNumberBytes || y.size() != kNumberBytes) return nullptr;
  const std::string point = "\x04" + x + y;
  const OwnedParams<OSSL_PARAM_BLD> builder(::OSSL_PARAM_BLD_new());
  ::OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  ::OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return key_from("EC", builder.get());
}

Key rsa_key(const JwkJson& jwk) {
  const std::string n = part(jwk, "n");
  const std::string e = part(jwk, "e");
  if (n.empty() || n.size() > kMaxRsaBytes || e.empty() || e.size() > sizeof(std::uint64_t)) return nullptr;
  const Owned<BIGNUM> modulus(::BN_bin2bn(bytes_of(n), static_cast<int>(n.size()), nullptr));
  const Owned<BIGNUM> exponent(::BN_bin2bn(bytes_of(e), static_cast<int>(e.size()), nullptr));
  if (::BN_num_bits(modulus.get()) < kLeastRsaBits) return nullptr;
  const OwnedParams<OSSL_PARAM_BLD> builder(::OSSL_PARAM_BLD_new());
  ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return key_from("RSA", builder.get());
}

Key ed_key(const JwkJson& jwk) {
  const std::string x = part(jwk, "x");
  if (jwk.value("crv", "") != "Ed25519" || x.size() != kEd25519Bytes) return nullptr;
  return Key(::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()), ::EVP_PKEY_free);
}

/// The uncompressed point of a P-256 key: 04, x, y.
std::string point_of(const Key& key) {
  std::array<unsigned char, 1 + 2 * kNumberBytes> point{};
  std::size_t size = 0;
  WHERRY_CHECK(
      ::EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &size) == 1 &&
      size == point.size());
  return {reinterpret_cast<const char*>(point.data()), size};
}

std::string kid_of(const Key& key) {
  const Sha256 hash = sha256(point_of(key));
  return to_hex(hash).substr(0, kKidDigits);
}

/// What OpenSSL checks: r and s as a DER sequence. Empty for what cannot be a signature.
std::string to_der(std::string_view signature) {
  if (signature.size() != 2 * kNumberBytes) return {};
  const OwnedParams<ECDSA_SIG> pair(::ECDSA_SIG_new());
  BIGNUM* r = ::BN_bin2bn(bytes_of(signature), kNumberBytes, nullptr);
  BIGNUM* s = ::BN_bin2bn(bytes_of(signature) + kNumberBytes, kNumberBytes, nullptr);
  if (::ECDSA_SIG_set0(pair.get(), r, s) != 1 || ::BN_is_zero(r) || ::BN_is_zero(s)) return {};
  unsigned char* out = nullptr;
  const int size = ::i2d_ECDSA_SIG(pair.get(), &out);
  std::string der(reinterpret_cast<const char*>(out), static_cast<std::size_t>(std::max(size, 0)));
  ::OPENSSL_free(out);
  return der;
}

}  // namespace

Result<PublicJwtKey> PublicJwtKey::from_jwk(std::string_view json) {
  const Error refused(ErrorKind::kInvalid, "that is no JSON Web Key of ES256, RS256 or Ed25519");
  const auto jwk = JwkJson::parse(json, nullptr, false);
  if (!jwk.is_object()) return refused;
  for (const char* member : {"kty", "crv", "kid", "alg", "use"})
    if (jwk.contains(member) && !jwk.at(member).is_string()) return refused;
  if (jwk.value("use", "sig") != "sig") return refused;
  const std::string type = jwk.value("kty", "");
  PublicJwtKey key;
  if (type == "EC") {
    key.algorithm_ = kEs256;
    key.key_ = ec_key(jwk);
  } else if (type == "RSA") {
    key.algorithm_ = kRs256;
    key.key_ = rsa_key(jwk);
  } else if (type == "OKP") {
    key.algorithm_ = kEdDsa;
    key.key_ = ed_key(jwk);
  }
  if (!key.key_ || jwk.value("alg", std::string(key.algorithm_)) != key.algorithm_) return refused;
  key.kid_ = jwk.value("kid", "");
  return key;
}

Result<PublicJwtKey> PublicJwtKey::of(std::shared_ptr<evp_pkey_st> key, std::string kid) {
  PublicJwtKey made;
  made.key_ = std::move(key);
  made.kid_ = std::move(kid);
  made.algorithm_ = kEs256;
  return made;
}

std::string PublicJwtKey::to_jwk() const {
  WHERRY_CHECK(algorithm_ == kEs256);
  const std::string point = point_of(key_);
  return JwkJson{{"kty", "EC"},
                 {"crv", "P-256"},
                 {"alg", "ES256"},
                 {"use", "sig"},
                 {"kid", kid_},
                 {"x", to_base64url(std::string_view(point).substr(1, kNumberBytes))},
                 {"y", to_base64url(std::string_view(point).substr(1 + kNumberBytes))}}
      .dump();
}

bool PublicJwtKey::verify(std::string_view message, std::string_view signature) const {
  std::string der;
  if (algorithm_ == kEs256) {
    der = to_der(signature);
    if (der.empty()) return false;
    signature = der;
  }
  const EVP_MD* digest = algorithm_ == kEdDsa ? nullptr : ::EVP_sha256();
  const Owned<EVP_MD_CTX> context(::EVP_MD_CTX_new());
  return ::EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
         ::EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) ==
             1;
}

JwtSigningKey JwtSigningKey::make() {
  Key key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), ::EVP_PKEY_free);
  WHERRY_CHECK(key != nullptr);
  std::string kid = kid_of(key);
  auto public_key = PublicJwtKey::of(key, std::move(kid));
  return JwtSigningKey(std::move(key), std::move(*public_key));
}

Result<JwtSigningKey> JwtSigningKey::from_pem(std::string_view pem) {
  const auto bio = reader(pem);
  Key key(::PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), ::EVP_PKEY_free);
  std::array<char, 32> group{};
  std::size_t size = 0;
  if (!key || ::EVP_PKEY_get_id(key.get()) != EVP_PKEY_EC ||
      ::EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &size) != 1 ||
      std::string_view(group.data(), size) != "prime256v1")
    return Error(ErrorKind::kInvalid, "that is no P-256 private key in PEM form");
  std::string kid = kid_of(key);
  auto public_key = PublicJwtKey::of(key, std::move(kid));
  return JwtSigningKey(std::move(key), std::move(*public_key));
}

std::string JwtSigningKey::pem() const {
  const auto bio = writer();
  WHERRY_CHECK(::PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(bio.get());
}

std::string JwtSigningKey::sign(std::string_view message) const {
  const Owned<EVP_MD_CTX> context(::EVP_MD_CTX_new());
  std::array<unsigned char, 128> der{};
  std::size_t size = der.size();
  WHERRY_CHECK(::EVP_DigestSignInit(context.get(), nullptr, ::EVP_sha256(), nullptr, key_.get()) == 1 &&
               ::EVP_DigestSign(context.get(), der.data(), &size, bytes_of(message), message.size()) == 1);
  const unsigned char* at = der.data();
  const OwnedParams<ECDSA_SIG> pair(::d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  WHERRY_CHECK(pair != nullptr);
  std::string signature(2 * kNumberBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  WHERRY_CHECK(::BN_bn2binpad(::ECDSA_SIG_get0_r(pair.get()), out, kNumberBytes) == kNumberBytes &&
               ::BN_bn2binpad(::ECDSA_SIG_get0_s(pair.get()), out + kNumberBytes, kNumberBytes) == kNumberBytes);
  return signature;
}

}  // namespace wherry::auth
