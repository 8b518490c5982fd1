// JWT: JSON web tokens in their compact form, read as strictly as can be.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "common/auth/jwt_keys.h"
#include "common/base/error.h"

namespace wherry::auth {

inline constexpr std::size_t kMaxTokenBytes = 16 * 1024;

/// What a token's header may hold beside alg, kid and typ.
enum class JwtHeader : std::uint8_t {
  kOurs,     ///< nothing
  kForeign,  ///< what servers of others write (x5t and the like). Keys and addresses of keys that stand there are never
             ///< looked at; what changes the meaning of the rest is refused: crit, b64, zip (RFC 7515 4.1.11, RFC 7797)
};

/// The claims of a token that one of these keys signed. Cheap checks go first: nothing is hashed or allocated by the
/// size of what is no token. Refused beside a wrong signature: another algorithm than the key's own, header members
/// other than `header` allows (so that no token names its key), a member that comes twice, padding, other than three
/// parts. Without `kid` in header or key all keys of the algorithm are tried, at most kMostTried. Errors:
/// kUnauthorized, with a reason that tells nothing of the keys. Source: RFC 7515, RFC 7519, RFC 8725.
Result<nlohmann::json> verify_jwt(std::string_view token, std::span<const PublicJwtKey> keys,
                                  JwtHeader header = JwtHeader::kOurs);
inline constexpr std::size_t kMostTried = 4;

/// Which key a token says to be signed by, for whoever has to fetch it first; empty when it does not say. Nothing of it
/// is checked.
std::string kid_of_jwt(std::string_view token);

/// A token with those claims.
std::string sign_jwt(const JwtSigningKey& key, const nlohmann::json& claims);

/// A JSON object in which no member comes twice, of at most `depth` levels; null for anything else.
nlohmann::json strict_object(std::string_view text, int depth);

}  // namespace wherry::auth
