// What a Replication knows of its policies and of what runs. Only for its own files.
#pragma once

#include "common/upstream/origin.h"
#include "master/replication/replication.h"

namespace wherry::replication {

struct Replication::Known {
  Policy policy;
  PolicyState state;
  std::uint64_t seen_position = 0;  ///< of the feed, up to which nothing is left to do
  Monotonic not_before{};           ///< of the next execution by push
};

struct Replication::Running {
  std::string policy;
  std::unique_ptr<Origin> origin;
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Run> run;
  bool stop_asked = false;

  /// Ends whatever it waits for.
  Task<void> shut() {
    if (gate) gate->shut();
    if (run) run->look_again();
    if (origin) co_await origin->cancel();
  }
};

/// The most executions or tasks in one answer of the API.
inline constexpr std::uint64_t kMaxApiPage = 500;

/// An execution as people see it: without what is for this process alone.
api::Json shown(const Execution& execution);

}  // namespace wherry::replication
