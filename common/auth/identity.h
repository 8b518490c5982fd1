// Identity: who asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace wherry::auth {

/// Rights hang on ids, which are random and never given twice: who is made anew with an old name has nothing of the old
/// one's. The name is for people.
struct Identity {
  enum class Kind {
    kEveryone,   ///< nobody is asked who he is: `--insecure-open`
    kAnonymous,  ///< has not said
    kUser,
    kRobot,
    kNode,
  };
  Kind kind = Kind::kAnonymous;
  std::string id;    ///< of a user "u-...", of a robot "r-...", of a node its certificate's serial number
  std::string name;  ///< as it logs in
  std::vector<std::string> groups{};  ///< their ids, as of when it logged in
  /// Of a node: patterns of the projects that it may read; empty: all.
  std::vector<std::string> projects{};
  /// When that was found out: what was revoked later does not count any more.
  WallTime as_of{};
  /// Of who shows what a session gave: when that began. No session outlives the one that it came from.
  std::optional<WallTime> session_began{};

  bool is_anonymous() const { return kind == Kind::kAnonymous; }
};

}  // namespace wherry::auth
