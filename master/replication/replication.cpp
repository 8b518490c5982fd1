#include "master/replication/replication.h"

#include <algorithm>

#include "common/base/glob.h"
#include "common/base/log.h"
#include "common/feed/log.h"
#include "common/http/place.h"
#include "common/upstream/credentials.h"
#include "master/replication/remote_side.h"
#include "master/replication/replication_state.h"

namespace wherry::replication {
namespace {

constexpr std::size_t kFeedPage = 1000;

Result<std::unique_ptr<Origin>> open_origin(const Policy& policy) {
  UpstreamOptions options;
  options.url = policy.remote.url;
  options.ca_file = policy.remote.ca_file;
  options.credentials_file = policy.remote.credentials_file;
  options.realms = policy.remote.realms;
  options.redirects = policy.remote.redirects;
  options.limits.bytes_per_second = policy.bytes_per_second;
  Credentials credentials;
  if (!options.credentials_file.empty()) {
    const auto place = http::Place::of(options.url);
    auto read = read_credentials(options.credentials_file, place ? place->name() : std::string());
    if (!read) return read.error();
    credentials = std::move(*read);
  }
  const std::vector<Loop*> here{&Loop::current()};
  return std::make_unique<Origin>(std::move(options), std::move(credentials), here);
}

bool concerns(const Policy& policy, const std::string& repository) {
  return std::ranges::any_of(policy.filters.repositories,
                             [&](const auto& pattern) { return path_glob_matches(pattern, repository); });
}

}  // namespace

Replication::Replication(registry::Storage& storage, registry::NameStore& names, registry::Blobs& blobs,
                         master::UploadSessions& sessions, Metrics& metrics, const Clock& clock)
    : storage_(storage),
      clock_(clock),
      history_(storage.names()),
      local_(storage, names, blobs, sessions),
      counters_(metrics) {
  metrics.gauge("wherry_replication_running", "Executions of replication policies that run",
                [this] { return static_cast<double>(running_.size()); });
}

Replication::~Replication() = default;

Task<Result<void>> Replication::start() {
  auto policies = co_await history_.policies();
  if (!policies) co_return policies.error();
  for (Policy& policy : *policies) {
    auto known = std::make_unique<Known>();
    auto state = co_await history_.state_of(policy.name);
    if (!state) co_return state.error();
    known->state = *state;
    known->seen_position = state->position.value_or(0);
    known->policy = std::move(policy);
    policies_.emplace(known->policy.name, std::move(known));
  }
  auto unfinished = co_await history_.unfinished();
  if (!unfinished) co_return unfinished.error();
  waiting_ = std::move(*unfinished);
  scope_.spawn(watch());
  co_return Result<void>();
}

Task<void> Replication::stop() {
  ending_ = true;
  sleeper_.wake();
  std::vector<std::shared_ptr<Running>> all;
  for (const auto& [id, running] : running_) all.push_back(running);
  for (const auto& running : all) co_await running->shut();
  co_await scope_.join();
}

/// The feed is looked at each kTick: an entry is answered to its pusher before anybody here hears of it. Whoever wakes
/// this on a commit calls sleeper_.wake().
Task<void> Replication::watch() {
  while (!ending_) {
    auto looked = co_await look();
    if (!looked) log::warn("replication policies could not be looked at", {{"error", looked.error().to_string()}});
    start_due();
    if (ending_) break;
    co_await sleeper_.sleep(kTick);
  }
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
    bool whole = false;
    auto changes = co_await changes_since(known.seen_position, head, whole);
    if (!changes) co_return changes.error();
    const auto again = policies_.find(name);
    if (again == policies_.end()) co_return Result<void>();
    Known& still = *again->second;
    if (!whole && std::ranges::none_of(changes->repositories,
                                       [&](const auto& each) { return concerns(still.policy, each.first); })) {
      still.seen_position = head;
      co_return Result<void>();
    }
  }
  const auto again = policies_.find(name);
  if (again == policies_.end()) co_return Result<void>();
  auto begun = co_await begin(again->second->policy, "push", again->second->state.position);
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
  auto begun = co_await begin(policy, "schedule", std::nullopt);
  if (!begun) co_return begun.error();
  co_return Result<void>();
}

Task<Result<Execution>> Replication::begin(const Policy& policy, std::string trigger,
                                           std::optional<std::uint64_t> since) {
  Execution execution;
  execution.policy = policy.to_json();
  execution.policy_name = policy.name;
  execution.trigger = std::move(trigger);
  execution.created = clock_.wall();
  execution.since_position = since;
  auto begun = co_await history_.begin(std::move(execution));
  if (!begun) co_return begun;
  waiting_.push_back(*begun);
  sleeper_.wake();
  co_return begun;
}

/// What happened after `position` up to `head`; `whole` when that cannot be told and all has to be looked at.
Task<Result<Changes>> Replication::changes_since(std::uint64_t position, std::uint64_t head, bool& whole) {
  Changes changes;
  whole = head - std::min(head, position) > kMaxFeedEntries;
  while (!whole && position < head) {
    auto entries = co_await feed::read(storage_.names(), position + 1, kFeedPage);
    if (!entries && entries.error().kind() == ErrorKind::kCorrupt) {
      whole = true;  // what was there may have been forgotten
      break;
    }
    if (!entries) co_return entries.error();
    whole = entries->compacted;
    if (entries->list.empty()) break;
    for (const feed::Entry& entry : entries->list) {
      const feed::Change& change = *entry.change();
      if (change.repository().empty()) continue;
      Touched& touched = changes.repositories[change.repository()];
      if (!change.tag().empty() && !touched.is_too_much()) touched.tags.insert(change.tag());
      if (change.kind() == feed::ChangeKind::kManifestPut && !touched.is_too_much())
        touched.manifests.insert(*change.digest());
      if (change.kind() == feed::ChangeKind::kManifestDeleted && change.digest())
        changes.gone.emplace_back(change.repository(), *change.digest());
    }
    position = entries->list.back().position();
  }
  co_return changes;
}

/// Begins what waits, by priority, then by age.
void Replication::start_due() {
  const auto priority_of = [](const Execution& execution) { return execution.policy.value("priority", 0); };
  while (!ending_ && running_.size() < kMaxRunning) {
    auto best = waiting_.end();
    for (auto each = waiting_.begin(); each != waiting_.end(); ++each) {
      const bool busy = std::ranges::any_of(
          running_, [&](const auto& running) { return running.second->policy == each->policy_name; });
      if (!busy && (best == waiting_.end() || priority_of(*each) > priority_of(*best))) best = each;
    }
    if (best == waiting_.end()) return;
    Execution execution = std::move(*best);
    waiting_.erase(best);
    auto running = std::make_shared<Running>();
    running->policy = execution.policy_name;
    running_.emplace(execution.id, std::move(running));
    scope_.spawn(run(std::move(execution)));
  }
}

Task<void> Replication::run(Execution execution) {
  const std::uint64_t id = execution.id;
  const std::shared_ptr<Running> running = running_.at(id);
  auto policy = Policy::parse(execution.policy);
  Result<void> done;
  if (policy)
    done = co_await run_to_end(execution, *policy, running);
  else
    done = policy.error();
  if (!done) {
    log::error("a replication was broken off",
               {{"policy", execution.policy_name}, {"error", done.error().to_string()}});
    if (is_transient(done.error())) {  // the store has no room, say: what it has kept is gone on with
      const Monotonic until = clock_.monotonic() + kBrokenPause;
      while (!ending_ && clock_.monotonic() < until) co_await sleep_for(kTick);
      auto kept = co_await history_.execution(id);
      if (kept && !is_over(kept->state)) waiting_.push_back(std::move(*kept));
    } else if (!ending_) {
      execution.state = execution.stop_asked ? State::kStopped : State::kFailed;
      execution.error = done.error().to_string();
      execution.ended = clock_.wall();
      auto kept = co_await history_.put(execution);
      if (!kept) log::error("an execution could not be kept", {{"error", kept.error().to_string()}});
    }
  }
  running_.erase(id);
  sleeper_.wake();
}

Task<Result<void>> Replication::run_to_end(Execution& execution, const Policy& policy,
                                           std::shared_ptr<Running> running) {
  auto origin = open_origin(policy);
  if (!origin) co_return origin.error();
  running->origin = std::move(*origin);
  Origin& remote = *running->origin;
  const bool pushes = policy.direction == Direction::kPush;
  running->gate =
      std::make_unique<Gate>(policy.windows, pushes ? &remote.budget() : nullptr, policy.bytes_per_second, clock_);
  if (running->stop_asked || execution.stop_asked || ending_) running->gate->shut();
  co_await remote.open();
  RemoteSide far(remote, policy.direction);
  Source& source = pushes ? static_cast<Source&>(local_) : static_cast<Source&>(far);
  Target& target = pushes ? static_cast<Target&>(far) : static_cast<Target&>(local_);
  Changes changes;
  auto head = co_await feed::head(storage_.names());
  if (!head) co_return head.error();
  if (execution.state == State::kPlanning && pushes) {
    execution.position = head->position;
    auto state = co_await history_.state_of(policy.name);
    if (!state) co_return state.error();
    bool whole = !state->position;
    if (!whole) {
      auto read = co_await changes_since(*state->position, head->position, whole);
      if (!read) co_return read.error();
      changes = std::move(*read);
    }
    if (whole) execution.since_position.reset();
  }
  running->run = std::make_unique<Run>(history_, execution, policy, std::move(changes), source, target, local_,
                                       *running->gate, counters_, clock_);
  if (running->stop_asked || execution.stop_asked) running->run->ask_to_stop();
  auto done = co_await running->run->go();
  execution = running->run->execution();
  co_await remote.cancel();
  co_await remote.close();
  const auto known = policies_.find(policy.name);
  if (done && known != policies_.end() && known->second->policy.to_json() == policy.to_json()) {
    if (execution.state == State::kSucceeded && pushes) {
      known->second->state.position = execution.position;
      known->second->seen_position = execution.position;
      done = co_await history_.put_state(policy.name, known->second->state);
    } else if (execution.state == State::kFailed || execution.state == State::kStopped) {
      known->second->not_before = clock_.monotonic() + kFailedPause;
    }
  }
  co_return done;
}

}  // namespace wherry::replication
