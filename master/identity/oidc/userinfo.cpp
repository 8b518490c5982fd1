#include "master/identity/oidc/userinfo.h"

#include <algorithm>

#include "master/identity/oidc/metadata.h"

namespace wherry::identity::oidc {
namespace {

constexpr const char* kMail = "email";
constexpr const char* kMailVerified = "email_verified";

}  // namespace

bool lacks_claims(const nlohmann::json& claims, const OidcOptions& options) {
  return !claims.contains(options.login_claim) || !claims.contains(options.groups_claim);
}

bool is_bearer_token(std::string_view token) {
  constexpr std::string_view kOthers = "-._~+/=";
  const auto may_be = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  };
  return !token.empty() && token.size() <= kMaxAccessTokenBytes && std::ranges::all_of(token, may_be);
}

Result<nlohmann::json> with_userinfo(nlohmann::json claims, const nlohmann::json& userinfo,
                                     const OidcOptions& options) {
  const std::string subject = text_member(userinfo, "sub");
  if (subject.empty() || subject != text_member(claims, "sub"))
    return Error(ErrorKind::kUnauthorized, "what the provider tells of this person is of somebody else (sub)");
  // An address and whether it was verified belong together, whoever says so.
  if (!claims.contains(kMail) && userinfo.contains(kMail) && userinfo.contains(kMailVerified))
    claims[kMailVerified] = userinfo[kMailVerified];
  for (const std::string& name : {std::string(kMail), options.login_claim, options.groups_claim})
    if (!claims.contains(name) && userinfo.contains(name)) claims[name] = userinfo[name];
  return claims;
}

}  // namespace wherry::identity::oidc
