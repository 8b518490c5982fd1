// A node's part in swarms as people read it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry::node {

/// What /status.json says of swarms. Errors: kInvalid when it is not such a document.
Result<nlohmann::ordered_json> swarms_of_status(std::string_view json);

/// The tables of that: of this node, and of those below it when some share a blob; nothing in it makes a terminal do
/// anything.
std::string swarm_table(const nlohmann::ordered_json& swarms);

}  // namespace wherry::node
