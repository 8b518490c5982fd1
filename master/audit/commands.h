// The audit log of a data directory on a terminal, whether its master runs or not.
#pragma once

#include "common/config/command.h"

namespace wherry::audit {

/// `audit list`, `audit verify`, `audit export`: they read files, and change nothing.
void add_audit_commands(Command& program);

}  // namespace wherry::audit
