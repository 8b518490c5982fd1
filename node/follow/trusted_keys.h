// Whose signatures this node believes.
#pragma once

#include <string>

#include "common/async/task.h"
#include "common/feed/signature.h"
#include "common/kv/key_value.h"

namespace wherry::node {

/// Adds to `keys` the configured key (64 hexadecimal digits) or, without one, that of the first contact, and all that
/// follow from it by what was announced. None when there was no contact yet. Errors: kInvalid for a configured key that
/// is none, kCorrupt.
Task<Result<void>> load_trusted_keys(kv::KeyValue& store, std::string configured, feed::TrustedKeys& keys);

}  // namespace wherry::node
