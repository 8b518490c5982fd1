// A command's main task on a loop of its own.
#pragma once

#include <functional>

#include "common/async/task.h"

namespace wherry {

/// Runs `work` to its end on this thread; gives what it gave, 1 when it ended by an exception.
int run_on_loop(const std::function<Task<int>()>& work);

}  // namespace wherry
