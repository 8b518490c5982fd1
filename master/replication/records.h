// Records: executions of policies and their tasks, as they are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/oci/digest.h"
#include "master/replication/policy.h"
#include "master/replication/source_place.h"

namespace wherry::replication {

/// Numbers are kept nowhere: documents have the names.
enum class State { kPlanning, kWaiting, kRunning, kSucceeded, kFailed, kStopped, kSkipped };
std::string_view name_of(State state);
std::optional<State> state_of(std::string_view name);
/// Nothing more will happen to it.
bool is_over(State state);

/// What one task does.
enum class TaskKind { kCopy, kDeleteTag, kDeleteManifest };
std::string_view name_of(TaskKind kind);

/// One image (or what is to go). A task that was begun is begun again after a crash: it skips what is there.
struct TaskRecord {
  static constexpr std::size_t kMaxErrorBytes = 1000;

  std::uint64_t number = 0;  ///< within its execution, from 1; copies before deletions
  TaskKind kind = TaskKind::kCopy;
  std::string repository;  ///< at the source
  std::string target;      ///< at the target
  std::string tag;         ///< empty: the manifest alone
  std::string digest;
  State state = State::kWaiting;
  std::uint64_t attempts = 0;
  std::uint64_t bytes = 0;      ///< of blobs that the target took, in all attempts
  std::uint64_t blobs = 0;      ///< that were sent
  std::uint64_t manifests = 0;  ///< that were sent
  std::string error;            ///< the last one; kept after a later success
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  std::optional<WallTime> not_before;  ///< of the next attempt
  std::string session_digest;          ///< the blob whose upload broke off,
  std::string session;                 ///< and where it goes on

  api::Json to_json() const;
  static Result<TaskRecord> parse(const api::Json& document);
  static api::Json schema();
};

/// How many tasks are in which state.
struct Progress {
  std::uint64_t tasks = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t skipped = 0;
  std::uint64_t bytes = 0;
  std::uint64_t blobs = 0;
  std::uint64_t manifests = 0;
};

/// How an execution found what it has to look at.
struct Found {
  bool whole = true;       ///< all of both sides; else what the source's feed told
  std::string because;     ///< of `whole`
  std::uint64_t from = 0;  ///< the feed's entries after this position,
  std::uint64_t to = 0;    ///< up to this one

  static Found all(std::string because) { return Found{true, std::move(because), 0, 0}; }
  static Found by_feed(std::uint64_t from, std::uint64_t to) { return Found{false, {}, from, to}; }
};

/// A policy being carried out, from plan to end.
struct Execution {
  std::uint64_t id = 0;
  api::Json policy;  ///< as it was when this began
  std::string policy_name;
  std::string trigger;  ///< manual, push or schedule
  State state = State::kPlanning;
  bool stop_asked = false;
  WallTime created{};
  std::optional<WallTime> ended;
  std::string error;
  bool full = false;            ///< it was asked to compare all
  std::optional<Found> found;   ///< nothing before it was planned
  std::uint64_t position = 0;   ///< where this master's feed was then
  SourcePlace source;           ///< where the source's feed was, of a policy that pulls
  bool more_to_delete = false;  ///< than one execution does
  /// How many images differed when both sides were compared at the end; nothing: they were not.
  std::optional<std::uint64_t> differences;
  Progress progress;

  api::Json to_json() const;
  static Result<Execution> parse(const api::Json& document);
  static api::Json schema();
};

/// What is kept of a policy beside itself.
struct PolicyState {
  static constexpr std::size_t kMaxStrays = 1000;

  /// Up to here this master's feed was seen to: as that of the source when it pushes, as that of the target when it
  /// pulls. Nothing: no run has succeeded.
  std::optional<std::uint64_t> position;
  SourcePlace source;                 ///< up to where the source's feed was replicated, of a policy that pulls
  std::vector<std::string> strays;    ///< repositories of such a target that others changed before `position`
  std::optional<WallTime> scheduled;  ///< the last time of its schedule that was seen to

  api::Json to_json() const;
  /// What cannot be read is as if there were nothing.
  static PolicyState parse(const api::Json& document);
};

}  // namespace wherry::replication
