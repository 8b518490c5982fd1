// What a provider says of itself: its endpoints and its keys. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/auth/jwt_keys.h"
#include "common/base/error.h"

namespace wherry::identity::oidc {

/// Source: OpenID Connect Discovery 1.0, 3; RFC 8628 4.
struct ProviderMetadata {
  std::string authorization_endpoint;
  std::string token_endpoint;
  std::string jwks_uri;
  std::string device_authorization_endpoint;  ///< empty: the provider has no device logins
  std::string userinfo_endpoint;              ///< empty: an ID token says all that it tells
};

/// The text of a member; empty when the document is no object or has no such text.
std::string text_member(const nlohmann::json& document, const char* name);

/// Where the metadata of an issuer stand. Source: OpenID Connect Discovery 1.0, 4.1.
std::string metadata_url(const std::string& issuer);

/// Errors: kUnavailable, for the log: the document is another issuer's, or names an endpoint that is missing or not
/// is_safe_url().
Result<ProviderMetadata> read_metadata(const nlohmann::json& document, const std::string& issuer);

/// Those of a JWK set that can sign ID tokens here; others (of other algorithms, for encryption) are passed over.
/// Errors: kUnavailable, for the log, when it is no such set, has more than kMostKeys, or none that can be used.
Result<std::vector<auth::PublicJwtKey>> read_keys(const nlohmann::json& document);
inline constexpr std::size_t kMostKeys = 64;

}  // namespace wherry::identity::oidc
