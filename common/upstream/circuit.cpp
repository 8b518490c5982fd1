#include "common/upstream/circuit.h"

#include <algorithm>

#include "common/async/sleep.h"

namespace wherry {

bool Circuit::admits() {
  if (failures_.load() == 0) return true;
  const std::int64_t at = now();
  if (at < open_until_.load()) return false;
  auto since = probing_since_.load();
  if (since != kNoProbe && at - since < kProbeTime.count()) return false;
  return probing_since_.compare_exchange_strong(since, at);
}

Task<bool> Circuit::admits_soon() {
  constexpr std::chrono::milliseconds kNap{20};
  for (auto left = kPatience; left.count() > 0 && pause() < left; left -= kNap) {
    if (admits()) co_return true;
    co_await sleep_for(kNap);
  }
  co_return admits();
}

void Circuit::ended(Monotonic asked_at, const Error* why) {
  if (why == nullptr) return worked();
  const bool no_answer = why->kind() == ErrorKind::kUpstream || why->kind() == ErrorKind::kTimeout;
  if (no_answer && heard_at_.load() <= asked_at)
    failed();
  else
    neither_nor();
}

void Circuit::worked() {
  heard_at_.store(clock_.monotonic());
  failures_.store(0);
  probing_since_.store(kNoProbe);
}

void Circuit::failed() {
  // Requests that were on their way when it opened fail for the same reason: only the probe counts after that.
  if (failures_.load() == 0 || probing_since_.load() != kNoProbe) {
    const int failures = failures_.fetch_add(1);
    const auto pause = std::min(kFirstPause * (1 << std::min(failures, 10)), kLongestPause);
    open_until_.store(now() + pause.count());
  }
  probing_since_.store(kNoProbe);
}

std::chrono::milliseconds Circuit::pause() const {
  return std::chrono::milliseconds(std::max<std::int64_t>(0, open_until_.load() - now()));
}

}  // namespace wherry
