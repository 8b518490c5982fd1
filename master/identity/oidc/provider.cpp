#include "master/identity/oidc/provider.h"

#include <algorithm>

#include "common/auth/jwt.h"
#include "common/base/log.h"
#include "common/http/request.h"
#include "common/oci/excerpt.h"
#include "master/identity/oidc/id_token.h"
#include "master/identity/oidc/userinfo.h"

namespace wherry::identity::oidc {
namespace {

/// Whether an answer says that it is us who may not ask, whoever logs in.
bool refuses_client(const ProviderAnswer& answer, const std::string& refusal) {
  return answer.status == 401 || refusal == "invalid_client" || refusal == "unauthorized_client" ||
         refusal == "unsupported_grant_type" || refusal == "invalid_scope";
}

Error makes_no_sense(std::string_view what, int status) {
  return Error(ErrorKind::kUnavailable, "the OpenID provider answered {} without {}", status, what);
}

}  // namespace

OidcProvider::OidcProvider(OidcOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), questions_(options_) {}

Task<Result<OidcProvider::Metadata>> OidcProvider::metadata() {
  const auto held = co_await metadata_.fetching.lock();
  const Monotonic now = clock_.monotonic();
  if (metadata_.value && now - metadata_.fetched < kMetadataLast) co_return metadata_.value;
  auto failure = metadata_.recent_failure(now);
  if (failure) co_return *failure;
  co_return co_await fetch_metadata();
}

Task<Result<OidcProvider::Metadata>> OidcProvider::fetch_metadata() {
  std::string url = metadata_url(options_.issuer);
  auto answer = co_await questions_.get(std::move(url));
  const Monotonic now = clock_.monotonic();
  if (!answer) co_return metadata_.fail(answer.error(), now);
  if (answer->status != 200) co_return metadata_.fail(makes_no_sense("its metadata", answer->status), now);
  auto read = read_metadata(answer->body, options_.issuer);
  if (!read) co_return metadata_.fail(read.error(), now);
  co_return metadata_.keep(std::move(*read), now);
}

Task<Result<OidcProvider::Keys>> OidcProvider::keys() {
  const auto held = co_await keys_.fetching.lock();
  const Monotonic now = clock_.monotonic();
  if (keys_.value && now - keys_.fetched < kKeysLast) co_return keys_.value;
  auto failure = keys_.recent_failure(now);
  if (failure) co_return *failure;
  co_return co_await fetch_keys();
}

Task<Result<OidcProvider::Keys>> OidcProvider::newer_keys(Keys known) {
  const auto held = co_await keys_.fetching.lock();
  if (keys_.value != known) co_return keys_.value;
  const Monotonic now = clock_.monotonic();
  if (looked_for_newer_ && now - *looked_for_newer_ < kUnknownKeyEvery) co_return known;
  looked_for_newer_ = now;
  co_return co_await fetch_keys();
}

Task<Result<OidcProvider::Keys>> OidcProvider::fetch_keys() {
  auto found = co_await metadata();
  if (!found) co_return found.error();
  std::string url = (*found)->jwks_uri;
  auto answer = co_await questions_.get(std::move(url));
  const Monotonic now = clock_.monotonic();
  if (!answer) co_return keys_.fail(answer.error(), now);
  if (answer->status != 200) co_return keys_.fail(makes_no_sense("its keys", answer->status), now);
  auto read = read_keys(answer->body);
  if (!read) co_return keys_.fail(read.error(), now);
  co_return keys_.keep(std::move(*read), now);
}

Task<Result<nlohmann::json>> OidcProvider::verified_claims(const std::string& id_token) {
  auto known = co_await keys();
  if (!known) co_return known.error();
  auto claims = auth::verify_jwt(id_token, **known, auth::JwtHeader::kForeign);
  const std::string kid = auth::kid_of_jwt(id_token);
  const auto has_that_name = [&](const auth::PublicJwtKey& key) { return key.kid() == kid; };
  const bool is_known = !kid.empty() && std::ranges::any_of(**known, has_that_name);
  if (claims || is_known) co_return claims;
  auto newer = co_await newer_keys(*known);
  if (!newer) co_return newer.error();
  if (*newer == *known) co_return claims;
  co_return auth::verify_jwt(id_token, **newer, auth::JwtHeader::kForeign);
}

Task<Result<nlohmann::json>> OidcProvider::ask(std::string endpoint, std::string form) {
  auto answer = co_await questions_.post(std::move(endpoint), std::move(form));
  if (!answer) co_return answer.error();
  const std::string refusal = text_member(answer->body, "error");
  if (refuses_client(*answer, refusal))
    co_return Error(ErrorKind::kUnavailable, "the OpenID provider refuses this registry as a client: {} {}",
                    answer->status, excerpt(refusal));
  if (!answer->body.is_object() || (answer->status != 200 && refusal.empty()))
    co_return makes_no_sense("saying why", answer->status);
  co_return std::move(answer->body);
}

Task<Result<OidcProvider::TokenAnswer>> OidcProvider::ask_token(std::string form) {
  auto found = co_await metadata();
  if (!found) co_return found.error();
  std::string endpoint = (*found)->token_endpoint;
  auto answer = co_await ask(std::move(endpoint), std::move(form));
  if (!answer) co_return answer.error();
  TokenAnswer token;
  token.refusal = text_member(*answer, "error");
  if (token.refusal.empty()) token.id_token = text_member(*answer, "id_token");
  std::string access_token = text_member(*answer, "access_token");
  const bool can_be_shown = http::equal_ignoring_case(text_member(*answer, "token_type"), "bearer");
  if (token.refusal.empty() && can_be_shown && is_bearer_token(access_token))
    token.access_token = std::move(access_token);
  if (token.refusal.empty() && token.id_token.empty())
    co_return Error(ErrorKind::kUnavailable, "the OpenID provider answered without an ID token");
  co_return token;
}

Task<Result<nlohmann::json>> OidcProvider::completed(nlohmann::json claims, const std::string& access_token) {
  auto found = co_await metadata();
  if (!found) co_return found.error();
  std::string url = (*found)->userinfo_endpoint;
  if (url.empty() || access_token.empty()) co_return claims;
  auto answer = co_await questions_.get_as(std::move(url), access_token);
  if (!answer) co_return answer.error();
  std::string problem;
  if (answer->status != 200)
    problem = "it answered " + std::to_string(answer->status);
  else if (answer->media_type == "application/jwt")
    problem = "it answers with a signed token: have the provider answer this client as application/json";
  else if (answer->media_type != "application/json" || !answer->body.is_object())
    problem = "it answered what is no JSON object";
  if (problem.empty()) co_return with_userinfo(std::move(claims), answer->body, options_);
  log::warn("the OpenID provider's userinfo endpoint tells nothing of who logs in", {{"why", problem}});
  co_return claims;
}

Task<Result<MasterLogins::Person>> OidcProvider::person_of(const TokenAnswer& answer, std::string nonce) {
  auto claims = co_await verified_claims(answer.id_token);
  if (!claims) co_return claims.error();
  auto holds = check_id_token(*claims, options_, nonce, clock_.wall());
  if (!holds) co_return holds.error();
  if (!lacks_claims(*claims, options_)) co_return read_person(*claims, options_);
  nlohmann::json of_token = std::move(*claims);
  auto all = co_await completed(std::move(of_token), answer.access_token);
  if (!all) co_return all.error();
  co_return read_person(*all, options_);
}

}  // namespace wherry::identity::oidc
