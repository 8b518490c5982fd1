// Connecting over TCP within a time. Blocks.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace wherry::master::ldap {

/// A connection to the first address of `host` that takes one; none of them may use up the time of those after it. The
/// look-up of the name keeps the time of the system's resolver. Errors: kUnavailable, naming the last reason.
Result<UniqueFd> dial(const std::string& host, int port, Monotonic deadline);

}  // namespace wherry::master::ldap
