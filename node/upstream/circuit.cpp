#include "node/upstream/circuit.h"

#include <algorithm>

#include "common/async/sleep.h"

namespace wherry::node {

bool Circuit::admits() {
  if (failures_.load() == 0) return true;
  if (now() < open_until_.load()) return false;
  return !probing_.exchange(true);
}

Task<bool> Circuit::admits_soon() {
  constexpr std::chrono::milliseconds kNap{20};
  for (auto left = kPatience; left.count() > 0 && pause() < left; left -= kNap) {
    if (admits()) co_return true;
    co_await sleep_for(kNap);
  }
  co_return admits();
}

void Circuit::ended(const Error* why) {
  if (why == nullptr)
    worked();
  else if (why->kind() == ErrorKind::kUpstream || why->kind() == ErrorKind::kTimeout)
    failed();
  else
    neither_nor();
}

void Circuit::worked() {
  failures_.store(0);
  probing_.store(false);
}

void Circuit::failed() {
  // Requests that were on their way when it opened fail for the same reason: only the probe counts after that.
  if (failures_.load() == 0 || probing_.load()) {
    const int failures = failures_.fetch_add(1);
    const auto pause = std::min(kFirstPause * (1 << std::min(failures, 10)), kLongestPause);
    open_until_.store(now() + pause.count());
  }
  probing_.store(false);
}

std::chrono::milliseconds Circuit::pause() const {
  return std::chrono::milliseconds(std::max<std::int64_t>(0, open_until_.load() - now()));
}

}  // namespace wherry::node
