#include "master/identity/oidc/metadata.h"

#include "common/oci/excerpt.h"
#include "master/identity/oidc/options.h"

namespace wherry::identity::oidc {
std::string text_member(const nlohmann::json& document, const char* name) {
  const auto found = document.is_object() ? document.find(name) : document.end();
  if (!document.is_object() || found == document.end() || !found->is_string()) return {};
  return found->get<std::string>();
}

std::string metadata_url(const std::string& issuer) {
  std::string url = issuer;
  if (url.ends_with('/')) url.pop_back();
  return url + "/.well-known/openid-configuration";
}

Result<ProviderMetadata> read_metadata(const nlohmann::json& document, const std::string& issuer) {
  const std::string said = text_member(document, "issuer");
  if (said != issuer)
    return Error(ErrorKind::kUnavailable, "the OpenID provider says that its issuer is {}, not '{}' as configured",
                 excerpt(said), issuer);
  ProviderMetadata metadata;
  struct Endpoint {
    const char* name;
    std::string& into;
    bool is_needed;
  };
  for (const Endpoint& endpoint :
       {Endpoint{"authorization_endpoint", metadata.authorization_endpoint, true},
        Endpoint{"token_endpoint", metadata.token_endpoint, true}, Endpoint{"jwks_uri", metadata.jwks_uri, true},
        Endpoint{"device_authorization_endpoint", metadata.device_authorization_endpoint, false},
        Endpoint{"userinfo_endpoint", metadata.userinfo_endpoint, false}}) {
    endpoint.into = text_member(document, endpoint.name);
    if (endpoint.into.empty() && !endpoint.is_needed) continue;
    if (!is_safe_url(endpoint.into, issuer))
      return Error(ErrorKind::kUnavailable, "the OpenID provider's {} is not an https URL: {}", endpoint.name,
                   excerpt(endpoint.into));
  }
  return metadata;
}

Result<std::vector<auth::PublicJwtKey>> read_keys(const nlohmann::json& document) {
  const auto list = document.is_object() ? document.find("keys") : document.end();
  if (!document.is_object() || list == document.end() || !list->is_array())
    return Error(ErrorKind::kUnavailable, "the OpenID provider answered what is no set of keys");
  if (list->size() > kMostKeys)
    return Error(ErrorKind::kUnavailable, "the OpenID provider has more than {} keys", kMostKeys);
  std::vector<auth::PublicJwtKey> keys;
  for (const nlohmann::json& each : *list) {
    auto key = auth::PublicJwtKey::from_jwk(each.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    if (key) keys.push_back(std::move(*key));
  }
  if (keys.empty())
    return Error(ErrorKind::kUnavailable, "the OpenID provider has no key of ES256, RS256 or EdDSA to sign with");
  return keys;
}

}  // namespace wherry::identity::oidc
