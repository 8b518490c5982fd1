#include "common/async/run_on_loop.h"

#include <cstdio>

#include "common/async/loop.h"
#include "common/async/scope.h"

namespace wherry {
namespace {

Task<void> run_and_stop(Loop& loop, const std::function<Task<int>()>& work, int& code) {
  try {
    Task<int> task = work();
    code = co_await std::move(task);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
  }
  loop.stop();
}

}  // namespace

int run_on_loop(const std::function<Task<int>()>& work) {
  int code = 1;
  Loop loop;
  Scope scope;
  loop.post([&] { scope.spawn(run_and_stop(loop, work, code)); });
  loop.run();
  return code;
}

}  // namespace wherry
