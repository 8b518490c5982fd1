// What is done on the loop where it is at home, for one who is on another.
#pragma once

#include <exception>
#include <functional>

#include "common/async/loop.h"
#include "common/async/task.h"
#include "common/base/error.h"

namespace wherry {

/// Does `work` on the loop `home` and comes back to this one whatever comes of it: what waits here (a connection) is of
/// this loop. `work` gives the task of a member function, say, is not itself a coroutine, and outlives the call: give
/// it a name. Errors: those of `work`; kInternal when it threw.
template <class T>
Task<Result<T>> at_home(Loop& home, const std::function<Task<Result<T>>()>& work) {
  Loop& here = Loop::current();
  co_await home.enter();
  Result<T> outcome = Error(ErrorKind::kInternal, "not done");
  try {
    Task<Result<T>> doing = work();
    outcome = co_await std::move(doing);
  } catch (const std::exception& exception) {
    outcome = Error(ErrorKind::kInternal, "what was to be done threw: {}", exception.what());
  }
  co_await here.enter();
  co_return outcome;
}

}  // namespace wherry
