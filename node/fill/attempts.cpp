#include "node/fill/attempts.h"

#include <algorithm>

#include "common/base/random.h"

namespace wherry::node {

Task<void> Attempts::pause() const {
  if (idle_ == 0) co_return;
  const auto whole = kFirstPause * (1 << std::min(idle_, 5));
  co_await sleep_for(jittered(whole));
}

}  // namespace wherry::node
