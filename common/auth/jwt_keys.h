// Keys that sign and check JSON web tokens. The algorithm is the key's, whatever a token says of itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/error.h"

struct evp_pkey_st;

namespace wherry::auth {

/// ECDSA over P-256 with SHA-256 (ES256, what is signed with here), or what others sign with: RSA with SHA-256 (RS256)
/// and Ed25519 (EdDSA). Source: RFC 7518 3.4, RFC 8037.
class PublicJwtKey {
 public:
  /// A JSON Web Key. Errors: kInvalid: another type or curve, RSA below 2048 bits, `alg` or `use` that does not fit.
  static Result<PublicJwtKey> from_jwk(std::string_view json);
  /// As RFC 7517 writes it; of ES256 keys alone.
  std::string to_jwk() const;

  /// Names it in tokens. Of our own keys: the first 16 hexadecimal digits of the SHA-256 of its point.
  const std::string& kid() const { return kid_; }
  /// "ES256", "RS256" or "EdDSA".
  std::string_view algorithm() const { return algorithm_; }
  /// About 90 us (ES256). False for whatever is not the one signature in its one form (RFC 7518 3.4: r and s, 32 bytes
  /// each).
  bool verify(std::string_view message, std::string_view signature) const;

 private:
  friend class JwtSigningKey;
  PublicJwtKey() = default;
  static Result<PublicJwtKey> of(std::shared_ptr<evp_pkey_st> key, std::string kid);

  std::string kid_;
  std::string_view algorithm_;
  std::shared_ptr<evp_pkey_st> key_;
};

/// The private half of an ES256 key.
class JwtSigningKey {
 public:
  static JwtSigningKey make();
  /// Errors: kInvalid when that is no such key.
  static Result<JwtSigningKey> from_pem(std::string_view pem);
  std::string pem() const;

  const PublicJwtKey& public_key() const { return public_key_; }
  /// r and s, 64 bytes. About 30 us.
  std::string sign(std::string_view message) const;

 private:
  JwtSigningKey(std::shared_ptr<evp_pkey_st> key, PublicJwtKey public_key)
      : key_(std::move(key)), public_key_(std::move(public_key)) {}
  std::shared_ptr<evp_pkey_st> key_;
  PublicJwtKey public_key_;
};

}  // namespace wherry::auth
