// What makes executions of a Replication begin.
#include <algorithm>

#include "common/base/log.h"
#include "common/feed/log.h"
#include "master/replication/replication_state.h"

namespace wherry::replication {

/// Whoever has something new for this wakes it, so that nothing is looked at in vain.
Task<void> Replication::watch() {
  while (!ending_) {
    woken_ = false;
    const Monotonic began = clock_.monotonic();
    auto looked = co_await look();
    if (!looked) log::warn("replication policies could not be looked at", {{"error", looked.error().to_string()}});
    start_due();
    if (ending_) break;
    co_await sleep_for(kBetweenLooks);
    if (ending_ || woken_) continue;
    std::chrono::milliseconds pause = kBrokenPause;
    if (looked) pause = until_next(began);
    co_await sleeper_.sleep(pause);
  }
}

/// Until time alone makes something due that was not due in the look that began then.
std::chrono::milliseconds Replication::until_next(Monotonic began) const {
  std::chrono::milliseconds least = std::chrono::hours(1);
  const Monotonic now = clock_.monotonic();
  const WallTime wall = clock_.wall();
  for (const auto& [name, known] : policies_) {
    if (!known->policy.enabled) continue;
    if (known->policy.trigger == TriggerKind::kPush && known->not_before > began)
      least = std::min(least, std::chrono::ceil<std::chrono::milliseconds>(known->not_before - now));
    if (known->policy.trigger != TriggerKind::kSchedule) continue;
    least = std::min<std::chrono::milliseconds>(least, kLongestSleep);
    const auto next = known->policy.schedule->next_after(known->state.scheduled.value_or(wall));
    if (next) least = std::min(least, std::chrono::ceil<std::chrono::milliseconds>(*next - wall));
  }
  return std::max(least, kBetweenLooks);
}

Task<Result<void>> Replication::look() {
  auto head = co_await feed::head(storage_.names());
  if (!head) co_return head.error();
  std::vector<std::string> names;
  for (const auto& [name, known] : policies_) names.push_back(name);
  for (const std::string& name : names) {
    const auto found = policies_.find(name);  // it may be gone since the last one was looked at
    if (found == policies_.end() || !found->second->policy.enabled || is_waiting(name)) continue;
    Result<void> looked;
    if (found->second->policy.trigger == TriggerKind::kPush)
      looked = co_await look_at_feed(*found->second, head->position);
    else if (found->second->policy.trigger == TriggerKind::kSchedule)
      looked = co_await look_at_schedule(*found->second);
    if (!looked) co_return looked;
  }
  co_return Result<void>();
}

bool Replication::is_waiting(const std::string& policy) const {
  return std::ranges::any_of(waiting_, [&](const Execution& each) { return each.policy_name == policy; });
}

Task<Result<void>> Replication::look_at_feed(Known& known, std::uint64_t head) {
  const bool never = !known.state.position.has_value();
  if (clock_.monotonic() < known.not_before || (!never && known.seen_position >= head)) co_return Result<void>();
  if (std::ranges::any_of(running_, [&](const auto& each) { return each.second->policy == known.policy.name; }))
    co_return Result<void>();
  const std::string name = known.policy.name;
  if (!never) {
    const Policy policy = known.policy;
    const Wants wants = [&policy](const std::string& repository) { return policy.wants_repository(repository); };
    auto changes = co_await changes_here(storage_.names(), known.seen_position, head, wants);
    if (!changes) co_return changes.error();
    const auto again = policies_.find(name);
    if (again == policies_.end()) co_return Result<void>();
    if (*changes && (*changes)->repositories.empty()) {
      again->second->seen_position = head;
      co_return Result<void>();
    }
  }
  const auto again = policies_.find(name);
  if (again == policies_.end()) co_return Result<void>();
  again->second->not_before = clock_.monotonic() + kBetweenPushes;
  auto begun = co_await begin(again->second->policy, "push", false);
  if (!begun) co_return begun.error();
  co_return Result<void>();
}

/// A time that passed while this master did not run, or while another execution ran, is made up for once.
Task<Result<void>> Replication::look_at_schedule(Known& known) {
  const WallTime now = clock_.wall();
  const bool first =
      !known.state.scheduled || *known.state.scheduled > now + std::chrono::days(1);  // a clock that jumped
  const auto next = first ? std::nullopt : known.policy.schedule->next_after(*known.state.scheduled);
  if (!first && (!next || *next > now)) co_return Result<void>();
  known.state.scheduled = now;
  const Policy policy = known.policy;
  auto kept = co_await history_.put_state(policy.name, known.state);
  if (!kept || first) co_return kept;
  auto begun = co_await begin(policy, "schedule", false);
  if (!begun) co_return begun.error();
  co_return Result<void>();
}

}  // namespace wherry::replication
