#include "node/access/node_logins.h"

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
  auto issued = co_await parent_->ask(request);
  const bool may_remember = policy->settings().cache_passwords && request.credentials;
  if (issued && may_remember) {
    auto who = owner_of(*policy, issued->token);
    if (who) co_await people_.keep(*who, request.credentials->second);
  }
  if (issued || issued.error().kind() != ErrorKind::kUnavailable || !may_remember) co_return issued;
  auto known = co_await people_.find(request.credentials->first, request.credentials->second);
  if (!known) co_return known.error();
  if (policy->is_revoked(known->id, known->as_of))
    co_return Error(ErrorKind::kUnauthorized, "name or password is wrong");
  co_return own_token(*policy, std::move(*known), request);
}

Task<Result<auth::IssuedToken>> NodeLogins::issue(const auth::TokenRequest& request) {
  Loop& here = Loop::current();
  co_await home_.enter();
  auto issued = co_await issue_here(request);
  co_await here.enter();
  co_return issued;
}

Task<Result<auth::Identity>> NodeLogins::log_in(const auth::LoginAttempt& attempt) {
  Loop& here = Loop::current();
  co_await home_.enter();
  auth::TokenRequest request;
  request.credentials = std::pair(attempt.name, attempt.password);
  request.remote = attempt.remote;
  Result<auth::Identity> who = Error(ErrorKind::kInternal, "not asked");
  auto issued = co_await issue_here(request);
  if (issued) {
    const std::shared_ptr<const auth::Policy> policy = view_.of(board_);
    const auth::PublicJwtKey own = key_.public_key();
    who = owner_of(*policy, issued->token);
    if (!who) {
      auto claims =
          auth::read_claims(issued->token, policy->settings().service, std::span(&own, 1), Clock::system().wall());
      if (claims) who = std::move(claims->who);
    }
  } else {
    who = issued.error();
  }
  co_await here.enter();
  co_return who;
}

}  // namespace wherry::node
