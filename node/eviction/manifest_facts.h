// What the ledger needs to know of a manifest's bytes.
#pragma once

#include <string_view>

#include "node/eviction/ledger.h"

namespace wherry::node {

/// Reads them once; nothing but the length of what cannot be read. 10 us for a usual manifest.
ManifestFacts facts_of(std::string_view media_type, std::string_view bytes);

}  // namespace wherry::node
