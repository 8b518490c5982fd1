// The endpoints of a Replication.
#include "common/oci/excerpt.h"
#include "master/replication/replication_state.h"

namespace wherry::replication {
namespace {

using api::Answer;
using api::Call;
using api::Json;
using api::list_of;
using api::ref;

constexpr const char* kTag = "replication";

}  // namespace

void Replication::add_to(api::Api& api) {
  const std::string policies = "/api/v1/replication/policies";
  const std::string executions = "/api/v1/replication/executions";
  api.add_schema("ReplicationPolicy", Policy::schema());
  api.add_schema("ReplicationExecution", Execution::schema());
  api.add_schema("ReplicationTask", TaskRecord::schema());
  const Json policy = ref("ReplicationPolicy");
  const Json execution = ref("ReplicationExecution");
  const api::QueryParameter page{"n", "how many at most", {{"type", "integer"}, {"maximum", kMaxApiPage}}};
  api.add({.method = "GET",
           .path = policies,
           .id = "listReplicationPolicies",
           .tag = kTag,
           .summary = "All policies, by name",
           .response = list_of(policy),
           .handler = [this](const Call&) { return list_policies(); }});
  api.add({.method = "POST",
           .path = policies,
           .id = "createReplicationPolicy",
           .tag = kTag,
           .summary = "A new policy; 409 when there is one of that name",
           .request = policy,
           .response = policy,
           .status = 201,
           .handler = [this](const Call& call) { return create_policy(call.body()); }});
  api.add({.method = "GET",
           .path = policies + "/{name}",
           .id = "getReplicationPolicy",
           .tag = kTag,
           .summary = "One policy",
           .response = policy,
           .handler = [this](const Call& call) { return get_policy(call.path("name")); }});
  api.add({.method = "PUT",
           .path = policies + "/{name}",
           .id = "putReplicationPolicy",
           .tag = kTag,
           .summary = "Makes or replaces a policy",
           .request = policy,
           .response = policy,
           .handler = [this](const Call& call) { return put_policy(call.path("name"), call.body()); }});
  api.add({.method = "DELETE",
           .path = policies + "/{name}",
           .id = "deleteReplicationPolicy",
           .tag = kTag,
           .summary = "Removes a policy and stops what runs of it; executions stay to be looked at",
           .handler = [this](const Call& call) { return remove_policy(call.path("name")); }});
  api.add({.method = "POST",
           .path = policies + "/{name}/run",
           .id = "runReplicationPolicy",
           .tag = kTag,
           .summary = "Begins an execution; gives the one that waits already, if one does",
           .query = {{"full", "compares all, whatever the feed tells", {{"type", "boolean"}}}},
           .response = execution,
           .status = 202,
           .handler = [this](const Call& call) { return run_policy(call); }});
  api.add({.method = "GET",
           .path = executions,
           .id = "listReplicationExecutions",
           .tag = kTag,
           .summary = "Executions, the newest first",
           .query = {page,
                     {"before", "the id of the last one of the page before", {{"type", "integer"}}},
                     {"policy", "of this policy alone"},
                     {"state", "in this state alone"}},
           .response = list_of(execution),
           .handler = [this](const Call& call) { return list_executions(call); }});
  api.add({.method = "GET",
           .path = executions + "/{id}",
           .id = "getReplicationExecution",
           .tag = kTag,
           .summary = "One execution, with its progress",
           .response = execution,
           .handler = [this](const Call& call) { return get_execution(call); }});
  api.add({.method = "GET",
           .path = executions + "/{id}/tasks",
           .id = "listReplicationTasks",
           .tag = kTag,
           .summary = "The tasks of an execution, in their order",
           .query = {page,
                     {"after", "the number of the last one of the page before", {{"type", "integer"}}},
                     {"state", "in this state alone"}},
           .response = list_of(ref("ReplicationTask")),
           .handler = [this](const Call& call) { return list_tasks(call); }});
  api.add({.method = "POST",
           .path = executions + "/{id}/stop",
           .id = "stopReplicationExecution",
           .tag = kTag,
           .summary = "Stops it; what is at the target stays, complete",
           .response = execution,
           .status = 202,
           .handler = [this](const Call& call) { return stop_execution(call); }});
  api.add({.method = "POST",
           .path = executions + "/{id}/retry",
           .id = "retryReplicationExecution",
           .tag = kTag,
           .summary = "Does what failed or was stopped again",
           .response = execution,
           .status = 202,
           .handler = [this](const Call& call) { return retry_execution(call); }});
}

Task<Result<Answer>> Replication::list_policies() {
  Json all = Json::array();
  for (const auto& [name, known] : policies_) all.push_back(known->policy.to_json());
  co_return Answer(std::move(all));
}

/// What changed of a policy may mean other images: the next execution looks at all. Whom a source is believed from does
/// not change with that.
Task<Result<void>> Replication::keep(Policy policy) {
  PolicyState state;
  const auto before = policies_.find(policy.name);
  if (before != policies_.end() && before->second->policy.remote.url == policy.remote.url)
    state.source.key = before->second->state.source.key;
  auto kept = co_await history_.put_state(policy.name, state);
  if (!kept) co_return kept;
  auto& known = policies_[policy.name];
  if (!known) known = std::make_unique<Known>();
  known->state = state;
  known->seen_position = 0;
  known->not_before = {};
  known->policy = std::move(policy);
  wake();
  co_return Result<void>();
}

Task<Result<Answer>> Replication::create_policy(Json document) {
  auto policy = Policy::parse(document);
  if (!policy) co_return policy.error();
  auto put = co_await history_.put_policy(*policy, true);
  if (!put) co_return put.error();
  if (!*put) co_return Answer::problem(409, fmt::format("there is a policy {} already", policy->name));
  Json made = policy->to_json();
  const std::string place = "/api/v1/replication/policies/" + policy->name;
  auto kept = co_await keep(std::move(*policy));
  if (!kept) co_return kept.error();
  co_return Answer(std::move(made), 201).at(place);
}

Task<Result<Answer>> Replication::get_policy(std::string name) {
  const auto found = policies_.find(name);
  if (found == policies_.end())
    co_return Error(ErrorKind::kNotFound, "there is no replication policy {}", excerpt(name));
  co_return Answer(found->second->policy.to_json());
}

Task<Result<Answer>> Replication::put_policy(std::string name, Json document) {
  if (document.is_object() && !document.contains("name")) document["name"] = name;
  auto policy = Policy::parse(document);
  if (!policy) co_return policy.error();
  if (policy->name != name)
    co_return Error(ErrorKind::kInvalid, "name: the document is of {}, the path of {}", policy->name, excerpt(name))
        .with_detail(R"({"field":"name"})");
  Json made = policy->to_json();
  const auto found = policies_.find(name);
  if (found != policies_.end() && found->second->policy.to_json() == made) co_return Answer(std::move(made));
  auto put = co_await history_.put_policy(*policy, false);
  if (!put) co_return put.error();
  auto kept = co_await keep(std::move(*policy));
  if (!kept) co_return kept.error();
  co_return Answer(std::move(made));
}

Task<Result<Answer>> Replication::remove_policy(std::string name) {
  auto removed = co_await history_.remove_policy(name);
  if (!removed) co_return removed.error();
  policies_.erase(name);
  std::vector<std::shared_ptr<Running>> mine;
  for (const auto& [id, running] : running_)
    if (running->policy == name) mine.push_back(running);
  for (const auto& running : mine) {
    running->stop_asked = true;
    if (running->run) running->run->ask_to_stop();
    co_await running->shut();
  }
  std::vector<Execution> dropped;
  std::erase_if(waiting_, [&](const Execution& each) {
    if (each.policy_name == name) dropped.push_back(each);
    return each.policy_name == name;
  });
  for (Execution& each : dropped) {
    each.state = State::kStopped;
    each.ended = clock_.wall();
    auto kept = co_await history_.put(each);
    if (!kept) co_return kept.error();
  }
  co_return Answer::nothing();
}

Task<Result<Answer>> Replication::run_policy(const Call& call) {
  const std::string name(call.path("name"));
  const std::string full = call.query("full").value_or("false");
  if (full != "true" && full != "false") co_return Error(ErrorKind::kInvalid, "full: must be true or false");
  const auto found = policies_.find(name);
  if (found == policies_.end())
    co_return Error(ErrorKind::kNotFound, "there is no replication policy {}", excerpt(name));
  if (!found->second->policy.enabled) co_return Answer::problem(409, "the policy is disabled");
  for (const Execution& each : waiting_)
    if (each.policy_name == name && each.trigger == "manual" && (each.full || full == "false"))
      co_return Answer(shown(each), 202);
  const Policy policy = found->second->policy;
  auto begun = co_await begin(policy, "manual", full == "true");
  if (!begun) co_return begun.error();
  co_return Answer(shown(*begun), 202).at(fmt::format("/api/v1/replication/executions/{}", begun->id));
}

}  // namespace wherry::replication
