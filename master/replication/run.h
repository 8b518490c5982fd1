// Run: one execution, from its plan to its end, or to where this process ends.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/observe/metrics.h"
#include "master/replication/finder.h"
#include "master/replication/gate.h"
#include "master/replication/history.h"
#include "master/replication/planner.h"
#include "master/replication/shared.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// What runs count, for the metrics.
struct RunCounters {
  explicit RunCounters(Metrics& metrics);
  Counter bytes;
  Counter succeeded;
  Counter failed;
  Counter retried;
};

/// Plans, then works on as many tasks at a time as the policy says. Each step is kept before the next, so that a run
/// that was broken off by a crash goes on where it was: what was planned stays planned, what was begun is begun again
/// and skips what is there. One loop; all that it is given outlives it.
class Run {
 public:
  static constexpr std::uint64_t kMaxAttempts = 12;  ///< of a task, and of the plan
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLongestPause{60'000};
  static constexpr std::chrono::seconds kLongestAskedPause{600};  ///< that a target's Retry-After gets
  static constexpr std::size_t kMaxTasks = 1'000'000;

  Run(History& history, Execution execution, const Policy& policy, Finder& finder, Source& source, Target& target,
      Side& near, Gate& gate, RunCounters& counters, const Clock& clock);

  /// Returns when the execution is over, or the gate is shut. Errors: those of the store; then nothing is known of it.
  Task<Result<void>> go();
  /// It is to end as stopped; the caller shuts the gate.
  void ask_to_stop() { execution_.stop_asked = true; }
  /// Wakes whoever waits for something that the gate decides.
  void look_again() { moved_.wake_all(); }
  const Execution& execution() const { return execution_; }

 private:
  Task<Result<void>> plan();
  Task<Result<void>> plan_once();
  Task<Result<void>> add(TaskRecord task);
  Task<Result<void>> write_planned();
  Task<void> work();
  Task<Result<std::optional<TaskRecord>>> next();
  Task<Result<void>> load();
  Task<void> wait_for_turn();
  Task<Result<void>> perform(TaskRecord task);
  Task<Result<bool>> attempt(TaskRecord& task, std::uint64_t& counted);
  Task<Result<void>> save(TaskRecord& task, std::uint64_t& counted, bool lazy);
  Task<Result<bool>> remove_tag(const RepositoryName& source, const RepositoryName& repository,
                                const Reference& reference);
  Task<void> verify();
  Task<Result<void>> end();
  Task<Result<void>> set_state(State state);
  std::chrono::milliseconds pause_after(const Error& error, std::uint64_t attempts) const;

  History& history_;
  Execution execution_;
  const Policy& policy_;
  Finder& finder_;
  Source& source_;
  Target& target_;
  Side& near_;
  Gate& gate_;
  RunCounters& counters_;
  const Clock& clock_;
  Shared shared_;
  std::vector<TaskRecord> planned_;  // not yet written
  std::uint64_t last_number_ = 0;
  std::deque<TaskRecord> queue_;
  std::vector<TaskRecord> later_;  // that wait for their next attempt
  std::uint64_t loaded_to_ = 0;
  bool all_loaded_ = false;
  bool loading_ = false;
  std::size_t copies_running_ = 0;
  std::size_t running_ = 0;
  std::optional<Error> broken_;  // the store failed
  Event moved_;
};

/// Whether the same may do later.
bool is_transient(const Error& error);

}  // namespace wherry::replication
