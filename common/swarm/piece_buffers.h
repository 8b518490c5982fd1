// PieceBuffers: what came of pieces that are not whole yet. Internal to this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/swarm/piece_set.h"

namespace wherry::swarm {

/// One piece in memory, as far as its blocks have come.
class PieceBuffer {
 public:
  struct Block {
    std::uint32_t start = 0;  ///< in the piece
    std::span<const std::byte> bytes;
  };

  explicit PieceBuffer(std::uint32_t bytes);

  /// False when that is no block of this piece; then nothing is changed.
  bool put(std::uint32_t start, std::span<const std::byte> block);
  bool is_whole() const { return came_.count() == came_.pieces(); }
  /// All of it; only of a whole one does it mean anything.
  std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  /// What came, in order. They live as long as the piece is here.
  std::vector<Block> blocks() const;

 private:
  std::span<const std::byte> block_at(std::uint32_t start) const;

  std::uint32_t size_;
  std::unique_ptr<std::byte[]> bytes_;
  PieceSet came_;
};

/// So that a piece is written by one call and hashed without being read back. Of all torrents of a session, bounded in
/// bytes: pieces that find no room are written block by block. One thread.
class PieceBuffers {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;

  /// False when there is no room for that piece, which has `piece_bytes`, or when that is none of its blocks.
  bool put(std::uint32_t torrent, std::uint32_t piece, std::uint32_t piece_bytes, std::uint32_t start,
           std::span<const std::byte> block);
  /// What came of it, which is here no longer; nothing when none came.
  std::optional<PieceBuffer> take(std::uint32_t torrent, std::uint32_t piece);
  /// All pieces of that torrent.
  void drop(std::uint32_t torrent);
  std::size_t bytes() const { return bytes_; }

 private:
  using Key = std::uint64_t;  // torrent and piece
  static Key key_of(std::uint32_t torrent, std::uint32_t piece) { return Key{torrent} << 32 | piece; }

  std::unordered_map<Key, PieceBuffer> pieces_;
  std::size_t bytes_ = 0;
};

}  // namespace wherry::swarm
