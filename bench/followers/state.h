// state: the whole state of names that a store holds, in few words, so that tiers can be compared when they do not run.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/error.h"

namespace wherry::bench {

/// Of the server whose data directory it is: position and epoch, how many rows the state has and the SHA-256 of them
/// all, the same of the projects' digests, and every policy. Reads all of it. Errors: those of the store.
Result<nlohmann::ordered_json> state_of(const std::string& data);

}  // namespace wherry::bench
