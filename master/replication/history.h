// History: policies, executions and tasks in the ordered store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/kv/key_value.h"
#include "master/replication/records.h"

namespace wherry::replication {

/// Rows are JSON documents in the table 'X'; what they mean is in records.h. Durable when a call ends, but for what
/// says otherwise. Errors of all: those of the store.
class History {
 public:
  static constexpr std::size_t kMaxPolicies = 1000;
  static constexpr std::uint64_t kKeptExecutions = 50;  ///< of each policy; the oldest go first
  static constexpr std::size_t kBatch = 200;            ///< tasks that are written at a time

  explicit History(kv::KeyValue& store) : store_(store) {}

  Task<Result<std::vector<Policy>>> policies();
  /// Errors: kNotFound.
  Task<Result<Policy>> policy(std::string name);
  /// False when `only_new` and there is one of that name. Errors: kTooLarge over kMaxPolicies.
  Task<Result<bool>> put_policy(Policy policy, bool only_new);
  /// With its state; executions stay. Errors: kNotFound.
  Task<Result<void>> remove_policy(std::string name);

  Task<Result<PolicyState>> state_of(std::string name);
  Task<Result<void>> put_state(std::string name, PolicyState state);

  /// Gives it a number and keeps it; forgets the oldest ended ones of its policy.
  Task<Result<Execution>> begin(Execution execution);
  Task<Result<void>> put(Execution execution);
  /// Errors: kNotFound.
  Task<Result<Execution>> execution(std::uint64_t id);
  /// The newest before `before` (0: of all), of one policy or, when that is empty, of any; at most `limit`.
  Task<Result<std::vector<Execution>>> executions(std::string policy, std::uint64_t before, std::size_t limit);
  /// Those that have not ended, the oldest first.
  Task<Result<std::vector<Execution>>> unfinished();

  Task<Result<void>> add_tasks(std::uint64_t execution, std::vector<TaskRecord> tasks);
  /// Those after number `after`, at most `limit`.
  Task<Result<std::vector<TaskRecord>>> tasks(std::uint64_t execution, std::uint64_t after, std::size_t limit);
  Task<Result<void>> forget_tasks(std::uint64_t execution);
  /// A task and how far its execution is, in one step. `lazy`: a power cut may lose it.
  Task<Result<void>> put_task(Execution execution, TaskRecord task, bool lazy);

 private:
  Task<Result<void>> prune(std::string policy);

  kv::KeyValue& store_;
};

}  // namespace wherry::replication
