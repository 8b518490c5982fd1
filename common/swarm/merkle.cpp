#include "common/swarm/merkle.h"

#include <algorithm>
#include <vector>

#include "common/base/bytes.h"

namespace wherry::swarm {
namespace {

Sha256 parent_of(const Sha256& left, const Sha256& right) { return sha256(as_text(left), as_text(right)); }

/// Of a tree whose lowest layer is `layer`, filled up with `padding` to a power of two.
Sha256 root_of(std::vector<Sha256> layer, Sha256 padding) {
  while (layer.size() > 1) {
    if (layer.size() % 2 != 0) layer.push_back(padding);
    for (std::size_t i = 0; i < layer.size() / 2; ++i) layer[i] = parent_of(layer[2 * i], layer[2 * i + 1]);
    layer.resize(layer.size() / 2);
    padding = parent_of(padding, padding);
  }
  return layer.front();
}

}  // namespace

Sha256 piece_root(std::span<const std::byte> piece, std::uint32_t piece_bytes) {
  std::vector<Sha256> leaves(piece_bytes / kLeafBytes);  // those that are not there: zeros
  for (std::size_t i = 0; i * kLeafBytes < piece.size(); ++i) {
    const auto rest = piece.subspan(i * kLeafBytes);
    leaves[i] = sha256(as_text(rest.first(std::min<std::size_t>(rest.size(), kLeafBytes))));
  }
  return root_of(std::move(leaves), Sha256{});
}

Sha256 file_root(std::span<const Sha256> pieces, std::uint32_t piece_bytes) {
  Sha256 padding{};
  for (std::uint32_t bytes = kLeafBytes; bytes < piece_bytes; bytes *= 2) padding = parent_of(padding, padding);
  return root_of({pieces.begin(), pieces.end()}, padding);
}

}  // namespace wherry::swarm
