// Finder: finds out what an execution has to look at.
#pragma once

#include <functional>
#include <string>

#include "common/kv/key_value.h"
#include "common/upstream/origin.h"
#include "master/replication/changes.h"
#include "master/replication/policy.h"
#include "master/replication/records.h"

namespace wherry::replication {

/// All of both sides, or what the source's feed has told since the last run that succeeded. Where an image comes from
/// is told by the source's feed; where it goes to, by this master's own when that is the target: what others did there
/// meanwhile is to be put right. One loop; all of it outlives it.
class Finder {
 public:
  /// Keeps the key that a source's feed was signed by at the first contact.
  using Pin = std::function<Task<Result<void>>(std::string key)>;

  /// `state` is what is kept of the policy when this begins.
  Finder(kv::KeyValue& names, const Policy& policy, PolicyState state, Origin& remote, Pin pin)
      : names_(names), policy_(policy), state_(std::move(state)), remote_(remote), pin_(std::move(pin)) {}

  /// The changes to look at; with `whole` all is looked at, and of the changes only what was deleted counts.
  struct Work {
    bool whole = true;
    Changes changes;
  };
  /// Writes into the execution how it was found, and up to where both feeds are seen to when all of it is done. Errors:
  /// those of SourceFeed::read() and of the store.
  Task<Result<Work>> find(Execution& execution);

 private:
  Task<Result<Work>> find_here(Execution& execution);
  Task<Result<Work>> find_there(Execution& execution);
  /// Adds what others changed at the target; false when that cannot be told.
  Task<Result<bool>> add_strays(Changes& changes, std::uint64_t head);

  kv::KeyValue& names_;
  const Policy& policy_;
  PolicyState state_;
  Origin& remote_;
  const Pin pin_;
};

/// The repositories of this master, as the target of a policy that pulls, in which others than its execution changed
/// something after `position` up to `head`: `own` says how many entries of each are the execution's. Nothing when that
/// cannot be told, or they are more than PolicyState::kMaxStrays.
Task<Result<std::optional<std::vector<std::string>>>> strays_of(kv::KeyValue& names, const Policy& policy,
                                                                std::uint64_t position, std::uint64_t head,
                                                                std::map<std::string, std::uint64_t> own);

}  // namespace wherry::replication
