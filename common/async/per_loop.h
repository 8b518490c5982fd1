// PerLoop: a part of something on each of several loops.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "common/async/loop.h"
#include "common/async/scope.h"

namespace wherry {

/// One T for each loop, touched on that loop alone.
template <class T>
class PerLoop {
 public:
  explicit PerLoop(std::vector<Loop*> loops) : loops_(std::move(loops)) {
    for (std::size_t i = 0; i < loops_.size(); ++i) parts_.push_back(std::make_unique<T>());
  }

  std::size_t size() const { return loops_.size(); }
  Loop& loop(std::size_t index) const { return *loops_[index]; }
  T& part(std::size_t index) { return *parts_[index]; }
  /// The current loop's. O(loops), which are few.
  T& here() {
    return *parts_[static_cast<std::size_t>(std::find(loops_.begin(), loops_.end(), &Loop::current()) -
                                            loops_.begin())];
  }

  /// Calls `visit` with each part, on its loop, one after the other, and goes on on the loop that asked.
  Task<void> visit(std::function<void(T&)> visit_part) {
    Loop& home = Loop::current();
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      co_await loops_[i]->enter();
      visit_part(*parts_[i]);
    }
    co_await home.enter();
  }
  /// The same for what takes its time.
  Task<void> visit_each(std::function<Task<void>(T&)> visit_part) {
    Loop& home = Loop::current();
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      co_await loops_[i]->enter();
      Task<void> visiting = visit_part(*parts_[i]);
      co_await std::move(visiting);
    }
    co_await home.enter();
  }

 private:
  std::vector<Loop*> loops_;
  std::vector<std::unique_ptr<T>> parts_;
};

/// Waits for what runs on all of them.
inline Task<void> join_all(PerLoop<Scope>& scopes) {
  return scopes.visit_each([](Scope& scope) { return scope.join(); });
}

}  // namespace wherry
