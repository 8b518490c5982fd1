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
  /// Calls `visit` with each item and the part of the loop that `home_of` names for it, on that loop: one stop on each
  /// loop that has some, however many there are. `home_of` and `visit` do not wait; they and `items` outlive the call.
  template <class Items, class HomeOf, class Visit>
  Task<void> visit_homes(const Items& items, const HomeOf& home_of, const Visit& visit) {
    Loop& here = Loop::current();
    std::vector<std::size_t> homes;
    for (const auto& item : items) homes.push_back(home_of(item));
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      if (std::find(homes.begin(), homes.end(), i) == homes.end()) continue;
      co_await loops_[i]->enter();
      auto home = homes.begin();
      for (const auto& item : items)
        if (*home++ == i) visit(*parts_[i], item);
    }
    co_await here.enter();
  }
  /// As visit(), for what takes its time.
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
