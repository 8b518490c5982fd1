#include "common/registry/policy_keeper.h"

#include "common/base/log.h"
#include "common/feed/state.h"
#include "common/kv/for_each_row.h"

namespace wherry::registry {
namespace {

void not_understood(std::string_view what, const Error& error) {
  log::error("a policy of the feed cannot be understood, and grants nothing",
             {{"policy", std::string(what)}, {"error", error.to_string()}});
}

}  // namespace

void PolicyKeeper::set(std::string_view name, std::string_view json) {
  auto is_ours = policy_.set(name, json);
  if (is_ours) {
    is_changed_ = is_changed_ || *is_ours;
    return;
  }
  not_understood(name, is_ours.error());
  if (policy_.remove(name)) is_changed_ = true;
}

void PolicyKeeper::set_project(std::string_view project, std::string_view json) {
  is_changed_ = true;
  auto done = policy_.set_project(std::string(project), json);
  if (done) return;
  not_understood(project, done.error());
  policy_.remove_project(project);
}

Task<Result<void>> PolicyKeeper::load() {
  policy_ = auth::Policy();
  is_changed_ = true;
  const std::string policies = feed::state_policies_prefix();
  const kv::VisitRow take_policy = [&](std::string_view key, std::string_view json) -> Result<void> {
    set(key.substr(policies.size()), json);
    return {};
  };
  auto loaded = co_await kv::for_each_row(store_, policies, take_policy);
  if (!loaded) co_return loaded;
  const std::string projects = feed::state_projects_prefix();
  const kv::VisitRow take_project = [&](std::string_view key, std::string_view json) -> Result<void> {
    set_project(key.substr(projects.size()), json);
    return {};
  };
  co_return co_await kv::for_each_row(store_, projects, take_project);
}

void PolicyKeeper::apply(const feed::Change& change) {
  switch (change.kind()) {
    case feed::ChangeKind::kPolicySet: set(change.tag(), change.payload()); break;
    case feed::ChangeKind::kPolicyRemoved: is_changed_ = policy_.remove(change.tag()) || is_changed_; break;
    case feed::ChangeKind::kProjectSet: set_project(change.project(), change.payload()); break;
    case feed::ChangeKind::kProjectRemoved:
      policy_.remove_project(change.project());
      is_changed_ = true;
      break;
    default: break;
  }
}

void PolicyKeeper::publish() {
  if (std::exchange(is_changed_, false)) board_.publish(policy_);
}

}  // namespace wherry::registry
