// Hashes of the feed: 32 bytes of SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "common/base/error.h"
#include "common/base/sha256.h"

namespace wherry::feed {

using Hash = Sha256;

/// SHA-256 of some bytes.
Hash hash_of(std::string_view bytes);
/// The chain's hash after an entry with the hash `entry`: SHA-256(chain before || entry's hash). 32 zero bytes come
/// before the first. An entry counts by its hash, so that one who may not see it can follow the chain all the same.
Hash next_chain(const Hash& previous, const Hash& entry);
/// The first 32 of `bytes`, which has as many.
inline Hash to_hash(std::string_view bytes) {
  Hash hash{};
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

}  // namespace wherry::feed
