// Admission: who may read the feed, and what of it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/segment.h"
#include "common/http/exchange.h"

namespace wherry::feed {

/// A follower that was let in. `revoked` turns true when it is not to be any more: its streams end then.
struct Admitted {
  Visibility visibility;
  std::shared_ptr<const std::atomic<bool>> revoked{};  ///< null: never
  bool is_revoked() const { return revoked && revoked->load(std::memory_order_acquire); }
};

/// Any loop.
class Admission {
 public:
  virtual ~Admission() = default;
  /// Errors are the answer: kUnauthorized, kDenied.
  virtual Result<Admitted> admit(const http::Exchange& exchange) = 0;
};

}  // namespace wherry::feed
