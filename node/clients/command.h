// The `configure-client` command.
#pragma once

#include "common/config/command.h"

namespace wherry::node {

/// Adds `configure-client` to a program. Exit codes: 0, 64 wrong use, 74 a file cannot be written, 78 the node's
/// configuration or a client's file is wrong.
void add_configure_client(Command& program);

}  // namespace wherry::node
