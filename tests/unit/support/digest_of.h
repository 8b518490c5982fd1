// Digests of short texts, as names for blobs.
#pragma once

#include <string_view>

#include "common/oci/digest.h"

namespace wherry::testing {

inline Digest digest_of(std::string_view text, DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
  return Digest::of(algorithm, text);
}

}  // namespace wherry::testing
