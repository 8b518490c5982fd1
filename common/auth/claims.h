// Claims: what a token of this registry says, and its two ends.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/identity.h"
#include "common/auth/jwt_keys.h"
#include "common/auth/permissions.h"
#include "common/auth/policy.h"
#include "common/auth/scope.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::auth {

/// How long a token may be said to hold by whoever signed it.
inline constexpr std::chrono::minutes kLongestToken{60};
/// How far clocks may be apart, and how long a request may be on its way: clients renew a token by their own clock when
/// they were told that it ends, and give up if it did not count any more a moment before that.
inline constexpr std::chrono::seconds kTokenSkew{30};

/// What its owner asked for and was allowed, at most: what he may now is asked of the Policy beside it.
struct TokenAccess {
  Scope scope;
  std::string
      project_id;  ///< of a repository: the project's, so that one made anew has nothing of it; empty: none is there
};

struct Claims {
  std::string id;  ///< of the token
  Identity who;
  WallTime expires{};  ///< of one that was read: when it counts no more, kTokenSkew after what it says
  std::vector<TokenAccess> access;
  /// Not of a token but of credentials that came with the request itself: for whatever its owner may do.
  bool is_unlimited = false;

  /// Whether the token was asked for that action.
  bool covers(std::string_view type, std::string_view name, std::string_view project_id, Scope::Action action) const;
};

/// A token for `claims` from now on.
std::string sign_claims(const JwtSigningKey& key, const Claims& claims, std::string_view issuer,
                        std::string_view service, WallTime now);

/// Errors: kUnauthorized: signature, audience, times, a claim that is missing or of another type.
Result<Claims> read_claims(std::string_view token, const AccessSettings& settings, WallTime now);
/// The same with one more key: a node's own, for who logs in to it.
Result<Claims> read_claims(std::string_view token, std::string_view service, std::span<const PublicJwtKey> keys,
                           WallTime now);

}  // namespace wherry::auth
