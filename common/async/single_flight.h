// SingleFlight: work that many want at once is done once, and all get its outcome.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/async/event.h"
#include "common/async/per_loop.h"
#include "common/async/request_context.h"
#include "common/async/scope.h"

namespace wherry {

/// Work by key. Each key has a loop that its work runs on; the work goes on when those who wait for it are gone. T is
/// copied to each. The trace of the request that started it goes with it, and each is told where its answer came from.
template <class T>
class SingleFlight {
 public:
  explicit SingleFlight(std::vector<Loop*> loops) : parts_(std::move(loops)) {}

  /// Joins the work of that key that is on its way, or starts `work`. Any loop of those given.
  Task<T> join(std::string key, std::function<Task<T>()> work) {
    const std::size_t index = std::hash<std::string>()(key) % parts_.size();
    Loop& home = Loop::current();
    RequestContext* const request = co_await current_request();
    co_await parts_.loop(index).enter();
    Part& part = parts_.part(index);
    const auto found = part.flights.find(key);
    std::shared_ptr<Flight> flight;
    const bool began = found == part.flights.end();
    if (!began) {
      flight = found->second;
    } else {
      flight = std::make_shared<Flight>();
      if (request != nullptr) flight->context.trace = request->trace;
      part.flights.emplace(key, flight);
      part.scope.spawn(fly(part, std::move(key), flight, std::move(work)));
    }
    co_await flight->landed.wait();
    T outcome = *flight->outcome;
    const Source source = flight->context.source;
    co_await home.enter();
    if (request != nullptr) request->share(source, began);
    co_return outcome;
  }

  /// Waits for what is on its way.
  Task<void> stop() {
    return parts_.visit_each([](Part& part) { return part.scope.join(); });
  }

 private:
  struct Flight {
    std::optional<T> outcome;
    RequestContext context;
    Event landed;
  };
  struct Part {
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
    Scope scope;
  };

  static Task<void> fly(Part& part, std::string key, std::shared_ptr<Flight> flight, std::function<Task<T>()> work) {
    co_await answer_for(flight->context);
    Task<T> task = work();
    T outcome = co_await std::move(task);
    flight->outcome.emplace(std::move(outcome));
    part.flights.erase(key);
    flight->landed.set();
  }

  PerLoop<Part> parts_;
};

}  // namespace wherry
