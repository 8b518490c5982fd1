// The commands of wherry-master for a master that runs.
#pragma once

#include "common/config/command.h"

namespace wherry::master {

/// Each adds its command.
void add_replication(Command& program);
void add_nodes(Command& program);
void add_swarm(Command& program);
void add_identity(Command& program);

}  // namespace wherry::master
