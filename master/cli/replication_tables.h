// Replication as people read it on a terminal. Pure; nothing that a server says makes a terminal do anything.
#pragma once

#include <string>

#include "master/api/call.h"

namespace wherry::master {

std::string policy_table(const api::Json& policies);
std::string execution_table(const api::Json& executions);
/// One execution, with its tasks below.
std::string execution_page(const api::Json& execution, const api::Json& tasks);
/// "running: 3 of 10 images, 12.3 MiB"
std::string progress_line(const api::Json& execution);

}  // namespace wherry::master
