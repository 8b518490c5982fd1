// Runs a Task to its end, for tests that are not coroutines themselves.
#pragma once

#include <poll.h>
#include <uv.h>

#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/async/loop.h"
#include "common/async/scope.h"
#include "common/async/task.h"

namespace wherry::testing {

/// Whether nothing waits on a loop that nobody runs any more: no message, no handle but those that each loop has.
inline bool is_quiet(Loop& loop) {
  const auto handles_of = [](Loop& each) {
    std::size_t count = 0;
    ::uv_walk(each.uv(), [](uv_handle_t*, void* counted) { ++*static_cast<std::size_t*>(counted); }, &count);
    return count;
  };
  static const std::size_t own_handles = [&] {
    Loop fresh;
    return handles_of(fresh);
  }();
  pollfd messages{.fd = ::uv_backend_fd(loop.uv()), .events = POLLIN, .revents = 0};
  return handles_of(loop) == own_handles && ::poll(&messages, 1, 0) == 0;
}

/// A loop that lives long: a pool's thread may still be waking it when its last task has ended, and what a test made on
/// it may come back to it. Each has descriptors, so that those do not live to the end of the process on which nothing
/// waits after thousands of others.
inline Loop& fresh_loop() {
  constexpr std::size_t kMostLoops = 2500;
  static std::mutex mutex;
  static auto* loops = new std::deque<std::unique_ptr<Loop>>;
  static auto* waited_for = new std::vector<std::unique_ptr<Loop>>;
  const std::lock_guard lock(mutex);
  loops->push_back(std::make_unique<Loop>());
  if (loops->size() > kMostLoops) {
    if (!is_quiet(*loops->front())) waited_for->push_back(std::move(loops->front()));
    loops->pop_front();
  }
  return *loops->back();
}

namespace detail {

template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr exception;
};
template <>
struct Outcome<void> {
  std::exception_ptr exception;
};

template <class T>
Task<void> run_to_end(Loop* loop, Task<T> task, Outcome<T>* outcome) {
  try {
    if constexpr (std::is_void_v<T>)
      co_await std::move(task);
    else
      outcome->value.emplace(co_await std::move(task));
  } catch (...) {
    outcome->exception = std::current_exception();
  }
  loop->stop();
}

template <class T>
Task<void> forward(Task<T> task, std::optional<T>* value) {
  value->emplace(co_await std::move(task));
}

template <class T>
Task<void> all_to_end(Loop* loop, std::vector<Task<T>>* tasks, std::vector<std::optional<T>>* values) {
  Scope scope;
  for (std::size_t i = 0; i < tasks->size(); ++i) scope.spawn(forward(std::move((*tasks)[i]), &(*values)[i]));
  co_await scope.join();
  loop->stop();
}

}  // namespace detail

/// Runs `task` on a new loop of this thread and gives its result, or throws what it threw.
template <class T>
T run_task(Task<T> task) {
  Loop& loop = fresh_loop();
  Scope scope;
  detail::Outcome<T> outcome;
  loop.post([&] { scope.spawn(detail::run_to_end(&loop, std::move(task), &outcome)); });
  loop.run();
  if (outcome.exception) std::rethrow_exception(outcome.exception);
  if constexpr (!std::is_void_v<T>) return std::move(*outcome.value);
}

/// Runs all of them at the same time on one new loop; results in their order.
template <class T>
std::vector<T> run_all(std::vector<Task<T>> tasks) {
  Loop& loop = fresh_loop();
  Scope scope;
  std::vector<std::optional<T>> values(tasks.size());
  loop.post([&] { scope.spawn(detail::all_to_end(&loop, &tasks, &values)); });
  loop.run();
  std::vector<T> results;
  results.reserve(values.size());
  for (auto& value : values) results.push_back(std::move(*value));
  return results;
}

}  // namespace wherry::testing
