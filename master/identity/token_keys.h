// TokenKeys: what signs the master's tokens.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/auth/jwt_keys.h"
#include "common/base/error.h"

namespace wherry::identity {

/// The present key, the next one (announced long before it signs, so that every tier has it) and the one before, whose
/// tokens still hold for some minutes. One PEM file, 0600.
class TokenKeys {
 public:
  /// Reads them, or makes them where there is no file. Blocks. Errors: kInvalid, kIo.
  static Result<TokenKeys> load_or_make(const std::string& path);
  /// Errors: kNotFound, kInvalid, kIo.
  static Result<TokenKeys> load(const std::string& path);
  /// The next key becomes the present one. Blocks; durable when it returns. The master must not run.
  static Result<void> rotate(const std::string& path);

  const auth::JwtSigningKey& present() const { return keys_.front(); }
  std::vector<auth::PublicJwtKey> public_keys() const;

 private:
  explicit TokenKeys(std::vector<auth::JwtSigningKey> keys) : keys_(std::move(keys)) {}
  Result<void> save(const std::string& path) const;
  std::vector<auth::JwtSigningKey> keys_;  // present, next, and the one before if there was one
};

inline std::string token_keys_file(const std::string& data) { return data + "/token-keys.pem"; }

}  // namespace wherry::identity
