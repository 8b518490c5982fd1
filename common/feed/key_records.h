// The keys of the feed as a follower is told of them.
#pragma once

#include <string>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/signature.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// Every key that ever signed, as records, each after the one that vouches for it.
Task<Result<std::string>> key_records(kv::KeyValue& store);

/// The first of them: who trusts that one trusts all that followed. Errors: kCorrupt when there is none.
Task<Result<PublicKey>> root_key(kv::KeyValue& store);

}  // namespace wherry::feed
