#include "master/identity/token_issuer.h"

#include "common/async/at_home.h"
#include "common/auth/password_hash.h"
#include "common/auth/signed_request.h"
#include "common/base/random.h"

namespace wherry::identity {
namespace {

constexpr std::size_t kTokenIdBytes = 12;
constexpr std::size_t kMostClientBytes = 128;
constexpr std::string_view kIssuer = "wherry-master";

}  // namespace

Task<Result<auth::Identity>> MasterIssuer::who_asks(const auth::TokenRequest& request) {
  if (!request.refresh_token.empty()) {
    auto who = co_await logins_.by_session(request.refresh_token);
    // Anybody can make up one that is none.
    if (who) logins_.note("session.use", who->name, request.remote, who, request.via);
    co_return who;
  }
  if (!request.credentials) co_return auth::Identity();
  auth::LoginAttempt attempt;
  attempt.name = request.credentials->first;
  attempt.password = request.credentials->second;
  attempt.remote = request.remote;
  attempt.via = request.via;
  co_return co_await logins_.log_in(attempt);
}

Task<Result<auth::IssuedToken>> MasterIssuer::issue(const auth::TokenRequest& request) {
  const std::function<Task<Result<auth::IssuedToken>>()> issuing = [&] { return issue_here(request); };
  co_return co_await at_home(home_, issuing);
}

Task<Result<auth::IssuedToken>> MasterIssuer::issue_here(const auth::TokenRequest& request) {
  auto who = co_await who_asks(request);
  if (!who) co_return who.error();
  co_return co_await issue_to(*who, request);
}

Task<Result<auth::IssuedToken>> MasterIssuer::issue_to(const auth::Identity& who, const auth::TokenRequest& request) {
  const auth::Policy& policy = directory_.policy();
  // As of the login: what was revoked since then has revoked this, too.
  const WallTime now = who.is_anonymous() ? clock_.wall() : who.as_of;
  auth::Claims claims;
  claims.id = random_hex(kTokenIdBytes);
  claims.expires = now + kTokenLasts;
  claims.access = auth::granted_access(policy, who, request.scopes);
  auth::IssuedToken issued;
  issued.lasts = kTokenLasts;
  issued.issued = now;
  if (request.wants_refresh_token && who.kind == auth::Identity::Kind::kUser) {
    issued.refresh_token = auth::random_secret();
    Session session;
    session.hash = auth::secret_hash_of(issued.refresh_token);
    session.user = who.id;
    session.client = request.client.substr(0, kMostClientBytes);
    session.created = who.session_began.value_or(now);
    session.expires = session.created + kSessionLasts;
    session.groups = who.groups;
    auto begun = co_await directory_.begin_session(session);
    if (!begun) co_return begun.error();
  }
  claims.who = who;
  issued.token = auth::sign_claims(keys_.present(), claims, kIssuer, policy.settings().service, now);
  co_return issued;
}

}  // namespace wherry::identity
