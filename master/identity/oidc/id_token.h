// What has to hold of the claims of an ID token, and who they say it is. Pure.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "master/identity/logins.h"
#include "master/identity/oidc/options.h"

namespace wherry::identity::oidc {

/// How far the provider's clock may be from ours.
inline constexpr std::chrono::seconds kClockSkew{60};
/// A token is used right after it was made; an older one comes from elsewhere.
inline constexpr std::chrono::minutes kOldestIdToken{10};
inline constexpr std::size_t kMostAudiences = 32;

/// Checks iss, aud, azp, exp, iat, nbf, and nonce where `nonce` is not empty. The signature was checked before. Errors:
/// kUnauthorized, naming the claim. Source: OpenID Connect Core 1.0, 3.1.3.7.
Result<void> check_id_token(const nlohmann::json& claims, const OidcOptions& options, const std::string& nonce,
                            WallTime now);

/// Names of groups, mail address and login name: at most that many bytes, without control characters.
inline constexpr std::size_t kMaxNameBytes = 256;
/// More than that are refused: a part of them would be a guess.
inline constexpr std::size_t kMostGroups = 1000;

/// The person's external id is "ISSUER#SUB": what never means somebody else (Core 1.0, 5.7). Groups that are no names
/// are left out. Errors: kUnauthorized when sub or the login claim is missing or no name, when the login claim is
/// `email` and the provider has not verified it, or there are too many groups.
Result<MasterLogins::Person> read_person(const nlohmann::json& claims, const OidcOptions& options);

}  // namespace wherry::identity::oidc
