// PolicyKeeper: the policy of who may do what, as the feed's entries add up to it.
#pragma once

#include "common/auth/policy_board.h"
#include "common/feed/change.h"
#include "common/kv/key_value.h"

namespace wherry::registry {

/// The same at the master, where the entries come from, and at every node. On one loop; what it publishes is for all.
class PolicyKeeper {
 public:
  explicit PolicyKeeper(kv::KeyValue& store) : store_(store) {}

  const auth::PolicyBoard& board() const { return board_; }
  const auth::Policy& policy() const { return policy_; }

  /// Reads the state anew, and publishes nothing. What cannot be understood counts for nothing and is said in the log.
  /// Errors: kIo, kCorrupt.
  Task<Result<void>> load();
  /// After an entry was applied to the state.
  void apply(const feed::Change& change);
  /// Makes it known, if anything was changed since.
  void publish();

 private:
  void set(std::string_view name, std::string_view json);
  void set_project(std::string_view project, std::string_view json);

  kv::KeyValue& store_;
  auth::Policy policy_;
  auth::PolicyBoard board_;
  bool is_changed_ = false;
};

}  // namespace wherry::registry
