// The hash trees of version 2 torrents.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/sha256.h"

namespace wherry::swarm {

/// Bytes under each leaf: what peers ask each other for.
inline constexpr std::uint32_t kLeafBytes = 16 * 1024;

/// The root over the leaves of one piece, which has `piece_bytes` (a power of two times kLeafBytes) or, if it is the
/// last one, fewer: leaves that are not there count as zeros. One SHA-256 pass. Source: BEP 52, "pieces root".
Sha256 piece_root(std::span<const std::byte> piece, std::uint32_t piece_bytes);

/// The root of a file of at least two pieces. O(pieces). Source: BEP 52, "piece layers".
Sha256 file_root(std::span<const Sha256> pieces, std::uint32_t piece_bytes);

}  // namespace wherry::swarm
