// `wherry-node import`: what a node is given where no link leads.
#pragma once

#include "common/config/command.h"

namespace wherry::node {

void add_import(Command& program);

}  // namespace wherry::node
