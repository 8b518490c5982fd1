// The commands of this room that work on a data directory.
#pragma once

#include "common/config/command.h"

namespace wherry::identity {

/// Adds `token-key`.
void add_identity_commands(Command& program);

}  // namespace wherry::identity
