// MasterIssuer: the tokens of this registry.
#pragma once

#include <chrono>

#include "common/auth/token_service.h"
#include "master/identity/logins.h"
#include "master/identity/token_keys.h"

namespace wherry::identity {

class MasterIssuer final : public auth::TokenIssuer {
 public:
  static constexpr std::chrono::minutes kTokenLasts{5};
  static constexpr std::chrono::hours kSessionLasts{24 * 30};

  /// All outlive it.
  MasterIssuer(Directory& directory, MasterLogins& logins, const TokenKeys& keys, const Clock& clock)
      : directory_(directory), logins_(logins), keys_(keys), clock_(clock), home_(Loop::current()) {}

  Task<Result<auth::IssuedToken>> issue(const auth::TokenRequest& request) override;
  /// For somebody who was found out in another way. Home loop.
  Task<Result<auth::IssuedToken>> issue_to(const auth::Identity& who, const auth::TokenRequest& request);

 private:
  Task<Result<auth::IssuedToken>> issue_here(const auth::TokenRequest& request);
  Task<Result<auth::Identity>> who_asks(const auth::TokenRequest& request);

  Directory& directory_;
  MasterLogins& logins_;
  const TokenKeys& keys_;
  const Clock& clock_;
  Loop& home_;
};

}  // namespace wherry::identity
