#include "node/fill/attempts.h"

#include <algorithm>
#include <random>

namespace wherry::node {

Task<void> Attempts::pause() const {
  if (idle_ == 0) co_return;
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto whole = kFirstPause * (1 << std::min(idle_, 5));
  std::uniform_int_distribution<std::int64_t> jitter(whole.count() / 2, whole.count());
  co_await sleep_for(std::chrono::milliseconds(jitter(random)));
}

}  // namespace wherry::node
