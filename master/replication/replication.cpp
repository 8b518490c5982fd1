#include "master/replication/replication.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/feed/log.h"
#include "common/http/place.h"
#include "common/upstream/credentials.h"
#include "master/replication/finder.h"
#include "master/replication/local_side.h"
#include "master/replication/remote_side.h"
#include "master/replication/replication_state.h"

namespace wherry::replication {
namespace {

constexpr std::chrono::milliseconds kEndingPoll{200};

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

}  // namespace

Replication::Replication(registry::Storage& storage, registry::NameStore& names, registry::Blobs& blobs,
                         master::UploadSessions& sessions, Metrics& metrics, const Clock& clock)
    : storage_(storage),
      names_(names),
      blobs_(blobs),
      sessions_(sessions),
      clock_(clock),
      history_(storage.names()),
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
  wake();
  std::vector<std::shared_ptr<Running>> all;
  for (const auto& [id, running] : running_) all.push_back(running);
  for (const auto& running : all) co_await running->shut();
  co_await scope_.join();
}

Task<Result<Execution>> Replication::begin(const Policy& policy, std::string trigger, bool full) {
  Execution execution;
  execution.policy = policy.to_json();
  execution.policy_name = policy.name;
  execution.trigger = std::move(trigger);
  execution.created = clock_.wall();
  execution.full = full;
  auto begun = co_await history_.begin(std::move(execution));
  if (!begun) co_return begun;
  waiting_.push_back(*begun);
  wake();
  co_return begun;
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
      while (!ending_ && clock_.monotonic() < until) co_await sleep_for(kEndingPoll);
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
  wake();
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
  LocalSide here(storage_, names_, blobs_, sessions_);
  Source& source = pushes ? static_cast<Source&>(here) : static_cast<Source&>(far);
  Target& target = pushes ? static_cast<Target&>(far) : static_cast<Target&>(here);
  auto state = co_await history_.state_of(policy.name);
  if (!state) co_return state.error();
  const Finder::Pin pin = [this, &policy](std::string key) { return pin_key(policy, std::move(key)); };
  Finder finder(storage_.names(), policy, std::move(*state), remote, pin);
  running->run = std::make_unique<Run>(history_, execution, policy, finder, source, target, here, *running->gate,
                                       counters_, clock_);
  if (running->stop_asked || execution.stop_asked) running->run->ask_to_stop();
  auto done = co_await running->run->go();
  execution = running->run->execution();
  running->run.reset();
  co_await remote.cancel();
  co_await remote.close();
  if (done && execution.state == State::kSucceeded) {
    std::map<std::string, std::uint64_t> own = here.entries();
    done = co_await advance(execution, policy, std::move(own));
  } else if (Known* known = same(policy); known != nullptr && is_over(execution.state)) {
    known->not_before = clock_.monotonic() + kFailedPause;
  }
  co_return done;
}

/// What is known of a policy that is still what it was when its execution began; null when it is not.
Replication::Known* Replication::same(const Policy& policy) {
  const auto known = policies_.find(policy.name);
  if (known == policies_.end() || known->second->policy.to_json() != policy.to_json()) return nullptr;
  return known->second.get();
}

Task<Result<void>> Replication::pin_key(const Policy& policy, std::string key) {
  Known* known = same(policy);
  if (known == nullptr) co_return Result<void>();
  known->state.source.key = std::move(key);
  co_return co_await history_.put_state(policy.name, known->state);
}

/// All that was planned is done: the next execution goes on from where the feeds were then. One that was begun before a
/// later one that succeeded takes nothing back, unless it was asked to look at all.
Task<Result<void>> Replication::advance(const Execution& execution, const Policy& policy,
                                        std::map<std::string, std::uint64_t> own) {
  if (execution.more_to_delete) co_return Result<void>();
  const bool pushes = policy.direction == Direction::kPush;
  std::uint64_t position = execution.position;
  std::optional<std::vector<std::string>> strays;
  if (!pushes) {
    auto head = co_await feed::head(storage_.names());
    if (!head) co_return head.error();
    auto found = co_await strays_of(storage_.names(), policy, position, head->position, std::move(own));
    if (!found) co_return found.error();
    strays = std::move(*found);
    position = head->position;
  }
  Known* known = same(policy);
  if (known == nullptr) co_return Result<void>();
  PolicyState& state = known->state;
  if (pushes) {
    state.position = std::max(position, state.position.value_or(0));
    known->seen_position = *state.position;
  } else {
    const auto& from = state.source.at;
    const auto& to = execution.source.at;
    if (from && to && is_before(*to, *from) && !execution.full) co_return Result<void>();
    state.source = execution.source;
    state.strays = strays.value_or(std::vector<std::string>());
    state.position = strays ? std::optional(position) : std::nullopt;
  }
  co_return co_await history_.put_state(policy.name, state);
}

}  // namespace wherry::replication
