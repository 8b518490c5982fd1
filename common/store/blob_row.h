// BlobRow: what the metadata store keeps about a blob's file, so that every byte is checked before it leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.h"

namespace wherry::store {

/// Unit of the checksums of data at rest; the last block of a blob may be shorter.
inline constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;

constexpr std::uint64_t block_count(std::uint64_t size_bytes) {
  return size_bytes / kBlockBytes + (size_bytes % kBlockBytes != 0 ? 1 : 0);
}

/// XXH3-64 of one block: against rot, never for trust. 12 GB/s a core.
std::uint64_t block_checksum(std::span<const std::byte> block);

/// The size of a blob and the XXH3-64 of each of its blocks.
class BlobRow {
 public:
  BlobRow() = default;
  /// `checksums` has block_count(size_bytes) members.
  BlobRow(std::uint64_t size_bytes, std::vector<std::uint64_t> checksums);

  std::uint64_t size() const { return size_bytes_; }
  const std::vector<std::uint64_t>& checksums() const { return checksums_; }
  bool operator==(const BlobRow&) const = default;

  /// As stored: version 1, size, checksums, big-endian; 9 + 8 bytes a block.
  std::string encode() const;
  /// Errors: kCorrupt for anything that encode() does not write.
  static Result<BlobRow> decode(std::string_view encoded);

 private:
  std::uint64_t size_bytes_ = 0;
  std::vector<std::uint64_t> checksums_;
};

/// Checksums of a stream of bytes, block by block.
class BlockChecksums {
 public:
  BlockChecksums();
  ~BlockChecksums();
  BlockChecksums(BlockChecksums&&) noexcept;
  BlockChecksums& operator=(BlockChecksums&&) noexcept;

  /// Goes on after whole blocks whose checksums are known.
  void start_after(std::vector<std::uint64_t> whole_blocks);
  void update(std::span<const std::byte> bytes);
  /// The row of what came so far; more may follow.
  BlobRow row() const;
  /// Those of the whole blocks alone.
  const std::vector<std::uint64_t>& whole_blocks() const { return whole_; }
  std::uint64_t size() const { return size_bytes_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::uint64_t> whole_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace wherry::store
