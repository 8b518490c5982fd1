// The commands of wherry-node for a node that runs.
#pragma once

#include "common/config/command.h"

namespace wherry::node {

/// Each adds its command.
void add_status(Command& program);
void add_swarm(Command& program);
void add_pull(Command& program);

}  // namespace wherry::node
