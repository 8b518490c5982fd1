// KnownPeople: who logged in to this node while the master could be asked.
#pragma once

#include <optional>
#include <string>

#include "common/async/pool.h"
#include "common/auth/identity.h"
#include "common/kv/key_value.h"

namespace wherry::node {

/// Salted hashes of their passwords and what the master said of them, where its policy lets a node keep those. At home
/// on one loop.
class KnownPeople {
 public:
  static constexpr std::size_t kMostHashing = 16;
  /// Since the master last said so; revocations are known for longer (auth::kNothingCountsLonger).
  static constexpr std::chrono::days kKnownFor{30};

  explicit KnownPeople(kv::KeyValue& store) : store_(store), hashers_("passwords", 1) {}

  /// The master has just said that this is the password of that one. Quietly not kept when too many are.
  Task<void> keep(const auth::Identity& who, std::string password);
  /// Who has that name and password, as the master last said it. Errors: kUnauthorized; kUnavailable for who is not
  /// known.
  Task<Result<auth::Identity>> find(std::string name, std::string password);
  /// After the policy forbids it.
  Task<Result<void>> forget_all();

  static Error nobody_known() {
    return Error(ErrorKind::kUnavailable,
                 "the master cannot be asked who that is, and nobody with that name and password is known here");
  }

 private:
  struct Known {
    auth::Identity who;
    std::string hash;
  };
  static Result<Known> read_row(const std::string& name, const std::string& row);

  kv::KeyValue& store_;
  Pool hashers_;
  std::size_t hashing_ = 0;
};

}  // namespace wherry::node
