#include "node/access/node_logins.h"

#include "common/async/at_home.h"
#include "common/auth/account_name.h"
#include "common/base/random.h"

namespace wherry::node {
namespace {

constexpr std::size_t kOwnTokenIdBytes = 12;
constexpr std::string_view kOwnIssuer = "wherry-node";

Error nobody_knows() {
  return Error(ErrorKind::kUnauthorized, "nobody can log in to this node: it has no master that knows people");
}

}  // namespace

Result<auth::Identity> NodeLogins::owner_of(const auth::Policy& policy, const std::string& token) {
  auto claims = auth::read_claims(token, policy.settings(), Clock::system().wall());
  if (claims) return std::move(claims->who);
  return Error(ErrorKind::kUnavailable, "the master's token cannot be checked here").with_cause(claims.error());
}

auth::IssuedToken NodeLogins::own_token(const auth::Policy& policy, auth::Identity who,
                                        const auth::TokenRequest& request) const {
  const WallTime now = Clock::system().wall();
  auth::Claims claims;
  claims.id = random_hex(kOwnTokenIdBytes);
  claims.expires = now + kOwnTokenLasts;
  claims.access = auth::granted_access(policy, who, request.scopes);
  claims.who = std::move(who);
  auth::IssuedToken issued;
  issued.lasts = kOwnTokenLasts;
  issued.issued = now;
  issued.token = auth::sign_claims(key_, claims, kOwnIssuer, policy.settings().service, now);
  return issued;
}

Task<Result<auth::IssuedToken>> NodeLogins::issue_here(const auth::TokenRequest& request) {
  const std::shared_ptr<const auth::Policy> policy = view_.of(board_);
  if (!policy->is_known()) co_return Error(ErrorKind::kUnavailable, "who may do what is not known here yet");
  const bool is_anonymous = !request.credentials && request.refresh_token.empty();
  if (is_anonymous) co_return own_token(*policy, auth::Identity(), request);
  if (parent_ == nullptr) co_return nobody_knows();
  const std::string name = request.credentials ? auth::account_of(request.credentials->first) : std::string();
  auto issued = co_await parent_->ask(request);
  const bool may_remember = policy->settings().cache_passwords && request.credentials;
  if (issued && request.credentials) {
    auto who = owner_of(*policy, issued->token);
    // Whoever stands between here and the master could answer with a token of somebody else.
    if (who && auth::account_of(who->name) != name)
      co_return Error(ErrorKind::kUnavailable, "the parent answered with a token of somebody else");
    const bool is_person = who && who->kind == auth::Identity::Kind::kUser;  // robots' secrets rotate
    if (may_remember && is_person) co_await people_.keep(*who, request.credentials->second);
  }
  if (!policy->settings().cache_passwords && !has_forgotten_) {
    auto forgotten = co_await people_.forget_all();
    has_forgotten_ = forgotten.has_value();
  }
  if (policy->settings().cache_passwords) has_forgotten_ = false;
  if (issued || issued.error().kind() != ErrorKind::kUnavailable || !may_remember) co_return issued;
  auto may_try = guard_.check(name, request.remote, request.via);
  if (!may_try) co_return may_try.error();
  auto known = co_await people_.find(name, request.credentials->second);
  const bool counts = known && !policy->is_revoked(known->id, known->as_of) &&
                      Clock::system().wall() - known->as_of <= policy->settings().offline_grace;
  if (known && !counts) known = KnownPeople::nobody_known();
  if (!known) {
    if (known.error().kind() == ErrorKind::kUnavailable) guard_.was_wrong(name, request.remote, request.via);
    co_return known.error();
  }
  guard_.was_right(name, request.remote, request.via);
  co_return own_token(*policy, std::move(*known), request);
}

Task<Result<auth::IssuedToken>> NodeLogins::issue(const auth::TokenRequest& request) {
  const std::function<Task<Result<auth::IssuedToken>>()> issuing = [&] { return issue_here(request); };
  co_return co_await at_home(home_, issuing);
}

Task<Result<auth::Identity>> NodeLogins::log_in(const auth::LoginAttempt& attempt) {
  auth::TokenRequest request;
  request.credentials = std::pair(attempt.name, attempt.password);
  request.remote = attempt.remote;
  request.via = attempt.via;
  auto issued = co_await issue(request);
  if (!issued) co_return issued.error();
  auth::PolicyBoard::View view;
  const std::shared_ptr<const auth::Policy> policy = view.of(board_);
  auto who = owner_of(*policy, issued->token);
  if (who) co_return who;
  const auth::PublicJwtKey own = key_.public_key();
  auto claims =
      auth::read_claims(issued->token, policy->settings().service, std::span(&own, 1), Clock::system().wall());
  if (!claims) co_return who;
  co_return std::move(claims->who);
}

}  // namespace wherry::node
