// Visitor: who sends one request, and what he may do by the policy of this moment and the token that he shows.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "common/auth/claims.h"
#include "common/auth/policy.h"

namespace wherry::auth {

class Visitor {
 public:
  /// With `--insecure-open`: whoever it is, everything.
  static Visitor everyone() { return Visitor(nullptr, nullptr); }
  /// `claims`: null for who showed nothing.
  Visitor(std::shared_ptr<const Policy> policy, std::shared_ptr<const Claims> claims)
      : policy_(std::move(policy)), claims_(std::move(claims)) {}

  bool is_everyone() const { return policy_ == nullptr; }
  const Identity& who() const;
  /// Null for everyone and for who showed nothing.
  const Claims* claims() const { return claims_.get(); }
  const std::shared_ptr<const Claims>& shared_claims() const { return claims_; }
  const Policy& policy() const { return *policy_; }
  /// Showed neither a token nor credentials.
  bool shows_nothing() const { return claims_ == nullptr && policy_ != nullptr; }

  enum class May {
    kYes,
    kWithAnotherToken,  ///< he may, but this token was not asked for that
    kNo,
  };
  /// With a repository. `extra`: what he may beside the policy, where a role knows repositories that the policy does
  /// not.
  May may(Permission permission, std::string_view repository, Permissions extra = {}) const;
  /// In the administration.
  May may_in_project(Permission permission, std::string_view project) const;
  May may_everywhere(Permission permission) const;

 private:
  May in_administration(bool allowed) const;

  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<const Claims> claims_;
};

}  // namespace wherry::auth
