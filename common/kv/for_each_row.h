// Reads a whole range page by page.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/kv/key_value.h"

namespace wherry::kv {

/// What is done with a row. An error ends the reading.
using VisitRow = std::function<Result<void>(std::string_view key, std::string_view value)>;

/// Calls `visit` with each row whose key starts with `prefix`, in key order, on the current loop. Each page is as it
/// was at one moment, all of them together are not. `visit` outlives the call: give it a name. Errors: those of the
/// store and of `visit`.
Task<Result<void>> for_each_row(KeyValue& store, std::string prefix, const VisitRow& visit);

}  // namespace wherry::kv
