// What a provider tells of somebody beside the ID token. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/error.h"
#include "master/identity/oidc/options.h"

namespace wherry::identity::oidc {

/// An access token that is longer is not shown: no server takes a header of that size.
inline constexpr std::size_t kMaxAccessTokenBytes = 16 * 1024;

/// Whether an ID token leaves out a claim that configuration names: providers keep tokens short, and tell the rest
/// there.
bool lacks_claims(const nlohmann::json& claims, const OidcOptions& options);

/// Whether it can stand in an Authorization header. Source: RFC 6750 2.1, "b64token".
bool is_bearer_token(std::string_view token);

/// The claims of an ID token with those of `userinfo` that are read here and that it leaves out: the login claim, the
/// groups and the mail address. What the token says, which is signed, stands. Errors: kUnauthorized when it is of
/// somebody else, or does not say of whom (sub). Source: OpenID Connect Core 1.0, 5.3.2.
Result<nlohmann::json> with_userinfo(nlohmann::json claims, const nlohmann::json& userinfo, const OidcOptions& options);

}  // namespace wherry::identity::oidc
