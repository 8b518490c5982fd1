#include "common/swarm/piece_buffers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/swarm/merkle.h"

namespace wherry::swarm {

PieceBuffer::PieceBuffer(std::uint32_t bytes)
    : size_(bytes),
      bytes_(std::make_unique_for_overwrite<std::byte[]>(bytes)),
      came_((bytes + kLeafBytes - 1) / kLeafBytes) {}

std::span<const std::byte> PieceBuffer::block_at(std::uint32_t start) const {
  return bytes().subspan(start, std::min(kLeafBytes, size_ - start));
}

bool PieceBuffer::put(std::uint32_t start, std::span<const std::byte> block) {
  if (start >= size_ || start % kLeafBytes != 0 || block.size() != block_at(start).size()) return false;
  std::memcpy(bytes_.get() + start, block.data(), block.size());
  came_.add(start / kLeafBytes);
  return true;
}

std::vector<PieceBuffer::Block> PieceBuffer::blocks() const {
  std::vector<Block> blocks;
  for (std::uint32_t block = came_.next(0); block < came_.pieces(); block = came_.next(block + 1))
    blocks.push_back({block * kLeafBytes, block_at(block * kLeafBytes)});
  return blocks;
}

bool PieceBuffers::put(std::uint32_t torrent, std::uint32_t piece, std::uint32_t piece_bytes, std::uint32_t start,
                       std::span<const std::byte> block) {
  const auto found = pieces_.find(key_of(torrent, piece));
  if (found != pieces_.end()) return found->second.put(start, block);
  if (bytes_ + piece_bytes > kMostBytes) return false;
  PieceBuffer fresh(piece_bytes);
  if (!fresh.put(start, block)) return false;
  pieces_.emplace(key_of(torrent, piece), std::move(fresh));
  bytes_ += piece_bytes;
  return true;
}

std::optional<PieceBuffer> PieceBuffers::take(std::uint32_t torrent, std::uint32_t piece) {
  const auto found = pieces_.find(key_of(torrent, piece));
  if (found == pieces_.end()) return std::nullopt;
  std::optional<PieceBuffer> taken(std::move(found->second));
  pieces_.erase(found);
  bytes_ -= taken->bytes().size();
  return taken;
}

void PieceBuffers::drop(std::uint32_t torrent) {
  std::erase_if(pieces_, [&](const auto& each) {
    if (each.first >> 32 != torrent) return false;
    bytes_ -= each.second.bytes().size();
    return true;
  });
}

}  // namespace wherry::swarm
