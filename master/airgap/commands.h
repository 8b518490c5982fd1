// What a master has, carried to where no link leads, and what was carried here.
#pragma once

#include "common/config/command.h"

namespace wherry::master {

/// `export`: writes what a running master has, or what it got since a position, into a bundle. `import`: takes another
/// master's bundle in, for a master that does not run.
void add_airgap_commands(Command& program);

}  // namespace wherry::master
