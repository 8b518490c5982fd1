// Replication: the policies of a master, what triggers them, and their executions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "master/api/api.h"
#include "master/registry/upload_sessions.h"
#include "master/replication/history.h"
#include "master/replication/run.h"

namespace wherry::replication {

/// Looks what is due when it is woken, or when a schedule says so: policies on push whose repositories changed in the
/// feed, and those on a schedule. Of one policy one execution runs at a time and one more may wait, so that a storm of
/// pushes makes few executions. Those of higher priority begin first. All of it on one loop.
class Replication {
 public:
  /// Between two looks: what is committed meanwhile is looked at together.
  static constexpr std::chrono::milliseconds kBetweenLooks{20};
  /// Between two executions of one policy by push.
  static constexpr std::chrono::milliseconds kBetweenPushes{250};
  /// Schedules are by a clock that may be set.
  static constexpr std::chrono::seconds kLongestSleep{60};
  static constexpr std::size_t kMaxRunning = 4;  ///< executions at a time
  /// After an execution by push failed, the next of that policy waits so long.
  static constexpr std::chrono::seconds kFailedPause{30};
  static constexpr std::chrono::seconds kBrokenPause{5};  ///< before what the store broke off goes on

  Replication(registry::Storage& storage, registry::NameStore& names, registry::Blobs& blobs,
              master::UploadSessions& sessions, Metrics& metrics, const Clock& clock = Clock::system());
  ~Replication();

  /// Reads what is kept and goes on with what a crash or a stop broke off.
  Task<Result<void>> start();
  /// Breaks off what runs; the next start goes on.
  Task<void> stop();
  /// New entries of this master's feed are there. On its loop.
  void wake() {
    woken_ = true;
    sleeper_.wake();
  }
  /// Adds the endpoints below /api/v1/replication/.
  void add_to(api::Api& api);

 private:
  struct Known;
  struct Running;

  // triggers.cpp
  Task<void> watch();
  Task<Result<void>> look();
  Task<Result<void>> look_at_feed(Known& known, std::uint64_t head);
  Task<Result<void>> look_at_schedule(Known& known);
  std::chrono::milliseconds until_next(Monotonic began) const;
  bool is_waiting(const std::string& policy) const;

  // replication.cpp
  Task<Result<Execution>> begin(const Policy& policy, std::string trigger, bool full);
  void start_due();
  Task<void> run(Execution execution);
  Task<Result<void>> run_to_end(Execution& execution, const Policy& policy, std::shared_ptr<Running> running);
  Known* same(const Policy& policy);
  Task<Result<void>> pin_key(const Policy& policy, std::string key);
  Task<Result<void>> advance(const Execution& execution, const Policy& policy,
                             std::map<std::string, std::uint64_t> own);

  // endpoints.cpp
  Task<Result<api::Answer>> list_policies();
  Task<Result<api::Answer>> create_policy(api::Json document);
  Task<Result<api::Answer>> get_policy(std::string name);
  Task<Result<api::Answer>> put_policy(std::string name, api::Json document);
  Task<Result<api::Answer>> remove_policy(std::string name);
  Task<Result<api::Answer>> run_policy(const api::Call& call);
  Task<Result<api::Answer>> list_executions(const api::Call& call);
  Task<Result<api::Answer>> get_execution(const api::Call& call);
  Task<Result<api::Answer>> list_tasks(const api::Call& call);
  Task<Result<api::Answer>> stop_execution(const api::Call& call);
  Task<Result<api::Answer>> retry_execution(const api::Call& call);
  Task<Result<void>> keep(Policy policy);

  registry::Storage& storage_;
  registry::NameStore& names_;
  registry::Blobs& blobs_;
  master::UploadSessions& sessions_;
  const Clock& clock_;
  History history_;
  RunCounters counters_;
  std::map<std::string, std::unique_ptr<Known>> policies_;
  std::vector<Execution> waiting_;  ///< not yet begun, in the order in which they were asked for
  std::map<std::uint64_t, std::shared_ptr<Running>> running_;
  Scope scope_;
  Sleeper sleeper_;
  bool woken_ = false;
  bool ending_ = false;
};

}  // namespace wherry::replication
