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
#include "master/replication/local_side.h"
#include "master/replication/run.h"

namespace wherry::replication {

/// Looks each kTick what is due: policies on push whose repositories changed in the feed, and those on a schedule. Of
/// one policy one execution runs at a time and one more may wait, so that a storm of pushes makes few executions. Those
/// of higher priority begin first. All of it on one loop.
class Replication {
 public:
  static constexpr std::chrono::milliseconds kTick{500};
  static constexpr std::size_t kMaxRunning = 4;  ///< executions at a time
  /// After an execution by push failed, the next of that policy waits so long.
  static constexpr std::chrono::seconds kFailedPause{30};
  static constexpr std::chrono::seconds kBrokenPause{5};   ///< before an execution that the store broke off goes on
  static constexpr std::size_t kMaxFeedEntries = 100'000;  ///< of a scoped plan; beyond, all is looked at

  Replication(registry::Storage& storage, registry::NameStore& names, registry::Blobs& blobs,
              master::UploadSessions& sessions, Metrics& metrics, const Clock& clock = Clock::system());
  ~Replication();

  /// Reads what is kept and goes on with what a crash or a stop broke off.
  Task<Result<void>> start();
  /// Breaks off what runs; the next start goes on.
  Task<void> stop();
  /// Adds the endpoints below /api/v1/replication/.
  void add_to(api::Api& api);

 private:
  struct Known;
  struct Running;

  // replication.cpp
  Task<void> watch();
  Task<Result<void>> look();
  Task<Result<void>> look_at_feed(Known& known, std::uint64_t head);
  Task<Result<void>> look_at_schedule(Known& known);
  Task<Result<Execution>> begin(const Policy& policy, std::string trigger, std::optional<std::uint64_t> since);
  Task<Result<Changes>> changes_since(std::uint64_t position, std::uint64_t head, bool& whole);
  void start_due();
  Task<void> run(Execution execution);
  Task<Result<void>> run_to_end(Execution& execution, const Policy& policy, std::shared_ptr<Running> running);
  bool is_waiting(const std::string& policy) const;

  // endpoints.cpp
  Task<Result<api::Answer>> list_policies();
  Task<Result<api::Answer>> create_policy(api::Json document);
  Task<Result<api::Answer>> get_policy(std::string name);
  Task<Result<api::Answer>> put_policy(std::string name, api::Json document);
  Task<Result<api::Answer>> remove_policy(std::string name);
  Task<Result<api::Answer>> run_policy(std::string name);
  Task<Result<api::Answer>> list_executions(const api::Call& call);
  Task<Result<api::Answer>> get_execution(const api::Call& call);
  Task<Result<api::Answer>> list_tasks(const api::Call& call);
  Task<Result<api::Answer>> stop_execution(const api::Call& call);
  Task<Result<api::Answer>> retry_execution(const api::Call& call);
  Task<Result<void>> keep(Policy policy);

  registry::Storage& storage_;
  const Clock& clock_;
  History history_;
  LocalSide local_;
  RunCounters counters_;
  std::map<std::string, std::unique_ptr<Known>> policies_;
  std::vector<Execution> waiting_;  ///< not yet begun, in the order in which they were asked for
  std::map<std::uint64_t, std::shared_ptr<Running>> running_;
  Scope scope_;
  Sleeper sleeper_;
  bool ending_ = false;
};

}  // namespace wherry::replication
