// What an operator does to the feed of a master that does not run.
#pragma once

#include "common/config/command.h"

namespace wherry::master {

/// `epoch`: after a restore from a backup, makes followers take this master's history for theirs. `feed-key`: prints
/// the public key, or replaces the key by a new one that the old one vouches for.
void add_feed_commands(Command& program);

}  // namespace wherry::master
