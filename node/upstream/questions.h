// Questions: what many want to know of upstreams is asked once, and a "no" is believed for a moment.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/single_flight.h"
#include "common/oci/reference.h"
#include "node/upstream/negatives.h"

namespace wherry::node {

/// The name of a question about something in a repository; `kind` tells apart what is asked of it.
inline std::string question_key(char kind, const RepositoryName& repository, std::string_view rest) {
  std::string key(1, kind);
  key.append(repository.text()).push_back('\0');
  return key.append(rest);
}

/// Questions whose answers are a T. `negatives` may be shared with whoever finds out the same otherwise.
template <class T>
class Questions {
 public:
  Questions(std::vector<Loop*> loops, Negatives& negatives) : negatives_(negatives), flights_(std::move(loops)) {}

  /// What `ask` says, run once for all who want it now. "Not there" and "refused" are believed for `negative_age`.
  Task<Result<T>> ask(std::string key, std::chrono::milliseconds negative_age, std::function<Task<Result<T>>()> ask) {
    if (auto no = negatives_.find(key)) co_return *no;
    const auto work = [this, key, negative_age, ask] { return remember(key, negative_age, ask); };
    co_return co_await flights_.join(key, work);
  }

  /// Waits for those that are on their way.
  Task<void> stop() { return flights_.stop(); }

 private:
  Task<Result<T>> remember(std::string key, std::chrono::milliseconds negative_age,
                           std::function<Task<Result<T>>()> ask) {
    Task<Result<T>> asking = ask();
    auto answer = co_await std::move(asking);
    if (!answer) negatives_.keep(key, answer.error(), negative_age);
    co_return answer;
  }

  Negatives& negatives_;
  SingleFlight<Result<T>> flights_;
};

}  // namespace wherry::node
