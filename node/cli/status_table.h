// A node's status as people read it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry::node {

/// The table of what /status.json says; nothing in it makes a terminal do anything. Errors: kInvalid when it is not
/// such a document.
Result<std::string> status_table(std::string_view json);

}  // namespace wherry::node
