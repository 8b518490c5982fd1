// NodeLogins: how people log in to a node: the master says who they are, and the node remembers, where it may.
#pragma once

#include <functional>
#include <string>

#include "common/auth/jwt_keys.h"
#include "common/auth/login_guard.h"
#include "common/auth/policy_board.h"
#include "common/auth/token_service.h"
#include "node/access/known_people.h"
#include "node/access/parent_tokens.h"

namespace wherry::node {

/// Tokens for those who say who they are come from the master, as long as it can be asked; for those who do not, and
/// for those whom it vouched for before, the node signs tokens of its own, which count here alone. At home on one loop.
class NodeLogins final : public auth::Logins, public auth::TokenIssuer {
 public:
  static constexpr std::chrono::minutes kOwnTokenLasts{5};

  /// `parent`: null where there is nobody who knows people. All outlive it.
  NodeLogins(const auth::PolicyBoard& board, ParentTokens* parent, KnownPeople& people, const auth::JwtSigningKey& key)
      : board_(board), parent_(parent), people_(people), key_(key), home_(Loop::current()) {}

  Task<Result<auth::Identity>> log_in(const auth::LoginAttempt& attempt) override;
  Task<Result<auth::IssuedToken>> issue(const auth::TokenRequest& request) override;

 private:
  Task<Result<auth::IssuedToken>> issue_here(const auth::TokenRequest& request);
  auth::IssuedToken own_token(const auth::Policy& policy, auth::Identity who, const auth::TokenRequest& request) const;
  /// Who a token of the master is of. Errors: kUnavailable for one that nobody here can check.
  static Result<auth::Identity> owner_of(const auth::Policy& policy, const std::string& token);

  const auth::PolicyBoard& board_;
  auth::PolicyBoard::View view_;
  ParentTokens* const parent_;
  KnownPeople& people_;
  const auth::JwtSigningKey& key_;
  Loop& home_;
  auth::LoginGuard guard_{Clock::system()};
  bool has_forgotten_ = false;
};

}  // namespace wherry::node
