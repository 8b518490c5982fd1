// The endpoints of a Replication that are about executions and their tasks.
#include <algorithm>

#include "common/base/bytes.h"
#include "common/oci/excerpt.h"
#include "master/replication/replication_state.h"

namespace wherry::replication {
namespace {

using api::Answer;
using api::Call;
using api::Json;

constexpr std::uint64_t kUsualPage = 50;

Result<std::uint64_t> id_of(const Call& call) {
  const auto id = parse_decimal(call.path("id"), INT64_MAX);
  if (!id) return Error(ErrorKind::kNotFound, "there is no replication execution {}", excerpt(call.path("id")));
  return *id;
}

Json shown(const TaskRecord& task) {
  Json document = task.to_json();
  for (const char* own : {"started-ms", "ended-ms", "not-before-ms", "session"}) document.erase(own);
  if (task.not_before && !is_over(task.state)) document["next-attempt"] = to_rfc3339(*task.not_before);
  return document;
}

}  // namespace

Json shown(const Execution& execution) {
  Json document = execution.to_json();
  for (const char* own : {"created-ms", "ended-ms", "position", "source", "more-to-delete"}) document.erase(own);
  return document;
}

Task<Result<Answer>> Replication::list_executions(const Call& call) {
  const auto limit = call.number("n", kUsualPage, 1, kMaxApiPage);
  if (!limit) co_return limit.error();
  const auto before = call.number("before", 0, 1, INT64_MAX);
  if (!before) co_return before.error();
  const std::string policy = call.query("policy").value_or("");
  if (!policy.empty() && !is_policy_name(policy)) co_return Error(ErrorKind::kInvalid, "policy: no name of a policy");
  const std::string state = call.query("state").value_or("");
  if (!state.empty() && !state_of(state))
    co_return Error(ErrorKind::kInvalid, "state: there is no state {}", excerpt(state));
  Json all = Json::array();
  std::uint64_t last = *before;
  while (all.size() < *limit) {
    auto found = co_await history_.executions(policy, last, kUsualPage);
    if (!found) co_return found.error();
    if (found->empty()) break;
    for (const Execution& each : *found)
      if ((state.empty() || name_of(each.state) == state) && all.size() < *limit) all.push_back(shown(each));
    last = found->back().id;
    if (last <= 1) break;
  }
  co_return Answer(std::move(all));
}

Task<Result<Answer>> Replication::get_execution(const Call& call) {
  const auto id = id_of(call);
  if (!id) co_return id.error();
  auto execution = co_await history_.execution(*id);
  if (!execution) co_return execution.error();
  const auto running = running_.find(*id);
  if (running != running_.end() && running->second->run) co_return Answer(shown(running->second->run->execution()));
  co_return Answer(shown(*execution));
}

Task<Result<Answer>> Replication::list_tasks(const Call& call) {
  const auto id = id_of(call);
  if (!id) co_return id.error();
  const auto limit = call.number("n", kUsualPage, 1, kMaxApiPage);
  if (!limit) co_return limit.error();
  auto after = call.number("after", 0, 0, INT64_MAX);
  if (!after) co_return after.error();
  const std::string state = call.query("state").value_or("");
  if (!state.empty() && !state_of(state))
    co_return Error(ErrorKind::kInvalid, "state: there is no state {}", excerpt(state));
  auto execution = co_await history_.execution(*id);
  if (!execution) co_return execution.error();
  Json all = Json::array();
  while (all.size() < *limit) {
    auto found = co_await history_.tasks(*id, *after, History::kBatch);
    if (!found) co_return found.error();
    if (found->empty()) break;
    for (const TaskRecord& each : *found)
      if ((state.empty() || name_of(each.state) == state) && all.size() < *limit) all.push_back(shown(each));
    *after = found->back().number;
  }
  co_return Answer(std::move(all));
}

Task<Result<Answer>> Replication::stop_execution(const Call& call) {
  const auto id = id_of(call);
  if (!id) co_return id.error();
  auto execution = co_await history_.execution(*id);
  if (!execution) co_return execution.error();
  if (is_over(execution->state)) co_return Answer(shown(*execution), 202);
  const auto waits = std::ranges::find_if(waiting_, [&](const Execution& each) { return each.id == *id; });
  if (waits != waiting_.end()) {
    Execution stopped = std::move(*waits);
    waiting_.erase(waits);
    stopped.state = State::kStopped;
    stopped.stop_asked = true;
    stopped.ended = clock_.wall();
    auto kept = co_await history_.put(stopped);
    if (!kept) co_return kept.error();
    co_return Answer(shown(stopped), 202);
  }
  const auto found = running_.find(*id);
  if (found == running_.end()) co_return Error(ErrorKind::kUnavailable, "the execution ends just now");
  const std::shared_ptr<Running> running = found->second;
  running->stop_asked = true;
  if (running->run) running->run->ask_to_stop();
  co_await running->shut();
  execution->stop_asked = true;
  co_return Answer(shown(*execution), 202);
}

Task<Result<Answer>> Replication::retry_execution(const Call& call) {
  const auto id = id_of(call);
  if (!id) co_return id.error();
  auto execution = co_await history_.execution(*id);
  if (!execution) co_return execution.error();
  if (execution->state != State::kFailed && execution->state != State::kStopped)
    co_return Answer::problem(409, fmt::format("the execution is {}: only what failed or was stopped is done again",
                                               name_of(execution->state)));
  if (running_.contains(*id)) co_return Error(ErrorKind::kUnavailable, "the execution ends just now");
  const bool was_planned = execution->progress.tasks > 0;
  execution->state = was_planned ? State::kRunning : State::kPlanning;
  execution->stop_asked = false;
  execution->ended.reset();
  execution->error.clear();
  execution->progress.failed = 0;
  std::uint64_t after = 0;
  while (was_planned) {
    auto found = co_await history_.tasks(*id, after, History::kBatch);
    if (!found) co_return found.error();
    if (found->empty()) break;
    after = found->back().number;
    for (TaskRecord& task : *found) {
      if (task.state == State::kSucceeded || task.state == State::kSkipped) continue;
      task.state = State::kWaiting;
      task.attempts = 0;
      task.not_before.reset();
      task.ended.reset();
    }
    auto kept = co_await history_.add_tasks(*id, std::move(*found));
    if (!kept) co_return kept.error();
  }
  auto kept = co_await history_.put(*execution);
  if (!kept) co_return kept.error();
  waiting_.push_back(*execution);
  wake();
  co_return Answer(shown(*execution), 202);
}

}  // namespace wherry::replication
