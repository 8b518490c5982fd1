#include "common/auth/visitor.h"

namespace wherry::auth {

const Identity& Visitor::who() const {
  static const Identity everyone{.kind = Identity::Kind::kEveryone, .id = {}, .name = {}};
  static const Identity anonymous{.kind = Identity::Kind::kAnonymous, .id = {}, .name = {}};
  if (is_everyone()) return everyone;
  return claims_ ? claims_->who : anonymous;
}

Visitor::May Visitor::may(Permission permission, std::string_view repository, Permissions extra) const {
  if (is_everyone()) return May::kYes;
  const ProjectPolicy* project = policy_->project(project_of(repository));
  if (!(policy_->allowed(who(), repository, project) | extra).has(permission)) return May::kNo;
  if (!claims_ || claims_->is_unlimited) return May::kYes;
  const std::string_view project_id = project == nullptr ? std::string_view() : project->id();
  if (claims_->covers(kRepositoryScope, repository, project_id, action_of(permission))) return May::kYes;
  // What everybody may needs no token: one that was asked for something else is no hindrance.
  static const Identity anybody;
  const bool everybody_may = (policy_->allowed(anybody, repository, project) | extra).has(permission);
  return everybody_may ? May::kYes : May::kWithAnotherToken;
}

Visitor::May Visitor::in_administration(bool allowed) const {
  if (is_everyone()) return May::kYes;
  if (!allowed) return May::kNo;
  const bool covered = claims_ && claims_->covers(kRegistryScope, kApiName, {}, Scope::Action::kAny);
  return covered ? May::kYes : May::kWithAnotherToken;
}

Visitor::May Visitor::may_in_project(Permission permission, std::string_view project) const {
  return in_administration(is_everyone() || policy_->allowed_in_project(who(), project).has(permission));
}

Visitor::May Visitor::may_everywhere(Permission permission) const {
  return in_administration(is_everyone() || policy_->allowed_everywhere(who()).has(permission));
}

}  // namespace wherry::auth
