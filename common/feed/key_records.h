// The keys of the feed as a follower is told of them.
#pragma once

#include <string>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// Every key that ever signed, as records, each after the one that vouches for it.
Task<Result<std::string>> key_records(kv::KeyValue& store);

}  // namespace wherry::feed
