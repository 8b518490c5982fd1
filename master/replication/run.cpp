#include "master/replication/run.h"

#include <algorithm>

#include "common/async/sleep.h"
#include "common/base/log.h"
#include "common/oci/excerpt.h"

namespace wherry::replication {
namespace {

constexpr std::chrono::milliseconds kPoll{200};
constexpr const char* kTasksHelp = "Tasks of replications that ended, by how";

}  // namespace

RunCounters::RunCounters(Metrics& metrics)
    : bytes(metrics.counter("wherry_replication_blob_bytes_total", "Bytes of blobs that targets of replications took")),
      succeeded(metrics.counter("wherry_replication_tasks_total", kTasksHelp, "outcome", "succeeded")),
      failed(metrics.counter("wherry_replication_tasks_total", kTasksHelp, "outcome", "failed")),
      retried(
          metrics.counter("wherry_replication_retries_total", "Attempts at tasks of replications that are repeated")) {}

Run::Run(History& history, Execution execution, const Policy& policy, Finder& finder, Source& source, Target& target,
         Side& near, Gate& gate, RunCounters& counters, const Clock& clock)
    : history_(history),
      execution_(std::move(execution)),
      policy_(policy),
      finder_(finder),
      source_(source),
      target_(target),
      near_(near),
      gate_(gate),
      counters_(counters),
      clock_(clock) {}

Task<Result<void>> Run::set_state(State state) {
  if (execution_.state == state) co_return Result<void>();
  execution_.state = state;
  co_return co_await history_.put(execution_);
}

Task<Result<void>> Run::go() {
  if (execution_.state == State::kPlanning) {
    auto planned = co_await plan();
    if (!planned || is_over(execution_.state) || gate_.is_shut()) {
      if (planned && execution_.stop_asked && !is_over(execution_.state)) planned = co_await end();
      co_return planned;
    }
  }
  auto running = co_await set_state(State::kRunning);
  if (!running) co_return running;
  Scope workers;
  for (std::uint64_t i = 0; i < policy_.concurrent; ++i) workers.spawn(work());
  co_await workers.join();
  if (broken_) co_return *broken_;
  if (gate_.is_shut() && !execution_.stop_asked) co_return Result<void>();
  co_return co_await end();
}

Task<Result<void>> Run::plan() {
  for (std::uint64_t attempts = 1;; ++attempts) {
    auto planned = co_await plan_once();
    if (planned) co_return planned;
    if (gate_.is_shut()) co_return Result<void>();
    if (gate_.in_window() && (!is_transient(planned.error()) || attempts >= kMaxAttempts)) {
      execution_.error = printable(planned.error().to_string(), TaskRecord::kMaxErrorBytes);
      execution_.ended = clock_.wall();
      log::warn("a replication could not be planned",
                {{"policy", execution_.policy_name}, {"error", planned.error().to_string()}});
      co_return co_await set_state(State::kFailed);
    }
    execution_.error = printable(planned.error().message(), TaskRecord::kMaxErrorBytes);
    auto told = co_await history_.put(execution_);
    if (!told) co_return told;
    if (!gate_.in_window()) attempts = 0;
    const Monotonic until = clock_.monotonic() + pause_after(planned.error(), attempts);
    while (!gate_.is_shut() && clock_.monotonic() < until) co_await sleep_for(kPoll);
  }
}

Task<Result<void>> Run::plan_once() {
  auto open = gate_.check();
  if (!open) co_return open;
  auto forgotten = co_await history_.forget_tasks(execution_.id);
  if (!forgotten) co_return forgotten;
  planned_.clear();
  last_number_ = 0;
  execution_.progress = {};
  auto work = co_await finder_.find(execution_);
  if (!work) co_return work.error();
  const Planner::Sink sink = [this](TaskRecord task) { return add(std::move(task)); };
  Planner planner(policy_, source_, target_, near_, gate_, sink);
  std::optional<std::map<std::string, Touched>> only;
  if (!work->whole) only = std::move(work->changes.repositories);
  auto planned = co_await planner.plan(only, work->changes.gone);
  if (!planned) co_return planned;
  execution_.more_to_delete = planner.is_cut_short();
  auto written = co_await write_planned();
  if (!written) co_return written;
  execution_.error.clear();
  execution_.progress.tasks = last_number_;
  co_return Result<void>();
}

Task<Result<void>> Run::add(TaskRecord task) {
  if (last_number_ >= kMaxTasks)
    co_return Error(ErrorKind::kTooLarge, "more than {} images differ: narrow the policy's filters", kMaxTasks);
  task.number = ++last_number_;
  planned_.push_back(std::move(task));
  if (planned_.size() < History::kBatch) co_return Result<void>();
  co_return co_await write_planned();
}

Task<Result<void>> Run::write_planned() {
  if (planned_.empty()) co_return Result<void>();
  std::vector<TaskRecord> batch;
  batch.swap(planned_);
  co_return co_await history_.add_tasks(execution_.id, std::move(batch));
}

Task<void> Run::work() {
  while (!broken_) {
    auto task = co_await next();
    if (task && !*task) break;
    Result<void> done;
    if (!task)
      done = task.error();
    else
      done = co_await perform(std::move(**task));
    if (!done) broken_ = done.error();
    moved_.wake_all();
  }
  moved_.wake_all();
}

/// The next task that may be worked on; nothing when there is none (any more).
Task<Result<std::optional<TaskRecord>>> Run::next() {
  while (!gate_.is_shut() && !broken_) {
    if (!gate_.in_window()) {
      auto waiting = co_await set_state(State::kWaiting);
      if (!waiting) co_return waiting.error();
      co_await sleep_for(kPoll);
      continue;
    }
    if (execution_.state == State::kWaiting) {
      auto running = co_await set_state(State::kRunning);
      if (!running) co_return running.error();
    }
    const WallTime now = clock_.wall();
    const auto due = [now](const TaskRecord& task) { return !task.not_before || *task.not_before <= now; };
    if (const auto found = std::ranges::find_if(later_, due); found != later_.end()) {
      TaskRecord task = std::move(*found);
      later_.erase(found);
      co_return std::optional<TaskRecord>(std::move(task));
    }
    if (queue_.empty() && !all_loaded_ && !loading_) {
      auto loaded = co_await load();
      if (!loaded) co_return loaded.error();
      continue;
    }
    const auto is_copy = [](const TaskRecord& task) { return task.kind == TaskKind::kCopy; };
    const bool copies_left = copies_running_ > 0 || std::ranges::any_of(later_, is_copy);
    if (!queue_.empty() && (is_copy(queue_.front()) || !copies_left)) {
      TaskRecord task = std::move(queue_.front());
      queue_.pop_front();
      co_return std::optional<TaskRecord>(std::move(task));
    }
    if (queue_.empty() && all_loaded_ && later_.empty() && running_ == 0) break;
    co_await wait_for_turn();
  }
  co_return std::optional<TaskRecord>();
}

Task<void> Run::wait_for_turn() {
  if (later_.empty())
    co_await moved_.wait();
  else
    co_await sleep_for(kPoll);
}

Task<Result<void>> Run::load() {
  loading_ = true;
  auto page = co_await history_.tasks(execution_.id, loaded_to_, History::kBatch);
  loading_ = false;
  if (!page) co_return page.error();
  if (page->empty()) all_loaded_ = true;
  for (TaskRecord& task : *page) {
    loaded_to_ = task.number;
    if (is_over(task.state)) continue;
    if (task.not_before)
      later_.push_back(std::move(task));
    else
      queue_.push_back(std::move(task));
  }
  moved_.wake_all();
  co_return Result<void>();
}

namespace {

Task<Result<void>> count_one(std::uint64_t* count) {
  ++*count;
  co_return Result<void>();
}

}  // namespace

/// Compares both sides once more. What differs has changed meanwhile, and is the next execution's.
Task<void> Run::verify() {
  std::uint64_t count = 0;
  const Planner::Sink counting = [&count](TaskRecord) { return count_one(&count); };
  Planner planner(policy_, source_, target_, near_, gate_, counting);
  auto compared = co_await planner.plan(std::nullopt, {});
  if (compared)
    execution_.differences = count;
  else
    execution_.error = printable("not verified: " + compared.error().message(), TaskRecord::kMaxErrorBytes);
}

Task<Result<void>> Run::end() {
  if (policy_.verify && execution_.found && execution_.found->whole && !execution_.stop_asked &&
      execution_.progress.failed == 0 && !gate_.is_shut())
    co_await verify();
  execution_.ended = clock_.wall();
  const Progress& progress = execution_.progress;
  const State state = execution_.stop_asked ? State::kStopped
                      : progress.failed > 0 ? State::kFailed
                                            : State::kSucceeded;
  if (state == State::kFailed && execution_.error.empty())
    execution_.error = fmt::format("{} of {} tasks failed; see the tasks", progress.failed, progress.tasks);
  log::info("a replication ended", {{"policy", execution_.policy_name},
                                    {"execution", std::to_string(execution_.id)},
                                    {"state", std::string(name_of(state))},
                                    {"tasks", std::to_string(progress.tasks)},
                                    {"bytes", std::to_string(progress.bytes)}});
  co_return co_await set_state(state);
}

}  // namespace wherry::replication
