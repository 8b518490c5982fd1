// The same work for many things, some of them at a time.
#pragma once

#include <cstddef>
#include <functional>

#include "common/async/task.h"
#include "common/base/error.h"

namespace wherry {

/// Gives the task of a member function, say; not itself a coroutine.
using NumberedWork = std::function<Task<Result<void>>(std::size_t number)>;

/// Does `work` for each number below `count`, `at_a_time` together, on this loop. After an error no more are begun;
/// those that run are waited for, and the first error is given.
Task<Result<void>> for_each_below(std::size_t count, std::size_t at_a_time, const NumberedWork& work);

}  // namespace wherry
