// What configuration says of a node's part in swarms.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/config/config_file.h"
#include "common/swarm/introducer.h"
#include "common/swarm/session.h"

namespace wherry::node {

struct SwarmOptions {
  swarm::SessionOptions session;                                  ///< swarm.listen; empty: this node takes part in none
  bool may_bridge = true;                                         ///< swarm.bridge: to other sites
  std::chrono::milliseconds seed_time{std::chrono::minutes(10)};  ///< swarm.seed-time: after a blob is here
  swarm::IntroducerOptions introducer;                            ///< swarm.min-bytes, for its own children

  /// Reads `swarm`. Errors: kInvalid, naming file, line and key.
  static Result<SwarmOptions> read(ConfigSection& file);
};

}  // namespace wherry::node
