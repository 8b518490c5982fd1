// Torrent: a blob as nodes share it: in pieces, each of which can be checked by itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/base/sha256.h"
#include "common/oci/digest.h"
#include "common/oci/hasher.h"

namespace wherry::swarm {

/// Smaller blobs are not worth it whatever is configured: a torrent has at least two pieces.
inline constexpr std::uint64_t kLeastBytes = std::uint64_t{128} << 10;
inline constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 30;

/// 64 KiB up to 128 MiB, then a 2,048th of the blob as a power of two, at most 4 MiB. Pieces are small for the tail:
/// the last one reaches N nodes after log2(N) hand-overs, which are to be small against the whole (F/10 log2 N;
/// Mundinger et al.), and 2,000 of them are that for any number of readers.
std::uint32_t piece_bytes_for(std::uint64_t size);
/// So many of them it has.
std::uint32_t pieces_for(std::uint64_t size);

/// Immutable.
class Torrent {
 public:
  static constexpr std::size_t kMostVoucherBytes = 255;

  /// Of pieces whose roots are known. Errors: kInvalid when size and pieces do not go together.
  static Result<Torrent> make(const Digest& blob, std::uint64_t size, std::vector<Sha256> pieces);
  /// The roots of the next pieces of a file, behind those that `roots` has, of about `bytes`. Blocks: one SHA-256 pass
  /// over them, and one by `whole`. True when it has all. Errors: kIo, kCorrupt when the file is shorter.
  static Result<bool> hash_some(int fd, std::uint64_t size, std::uint64_t bytes, std::vector<Sha256>& roots,
                                Hasher& whole);

  const Digest& blob() const { return blob_; }
  std::uint64_t size() const { return size_; }
  std::uint32_t piece_bytes() const { return piece_bytes_; }
  std::uint32_t pieces() const { return static_cast<std::uint32_t>(roots_.size()); }
  const std::vector<Sha256>& roots() const { return roots_; }
  const Sha256& root() const { return root_; }
  std::uint64_t offset_of(std::uint32_t piece) const { return std::uint64_t{piece} * piece_bytes_; }
  /// The master's word that this is the blob's (feed::SignedRoot); empty when there is none.
  const std::string& voucher() const { return voucher_; }
  /// The same with that voucher, of at most kMostVoucherBytes.
  Torrent vouched_by(std::string voucher) const;
  /// Whether both tell of the same pieces, whoever vouches for them.
  bool is_same(const Torrent& other) const { return root_ == other.root_ && size_ == other.size_; }
  /// Of one piece: the last one may be shorter.
  std::uint32_t bytes_of(std::uint32_t piece) const;
  /// Of so many pieces, as if none of them were the short one; the size when they are all.
  std::uint64_t bytes_of_some(std::uint32_t pieces) const {
    return pieces < this->pieces() ? offset_of(pieces) : size_;
  }
  /// How many whole pieces lie before that offset; all when it is the end.
  std::uint32_t pieces_before(std::uint64_t offset) const;

  /// Size and roots, for a message.
  std::string encode() const;
  /// The same with the voucher, for a row.
  std::string encode_vouched() const;
  /// Errors: kCorrupt.
  static Result<Torrent> decode(const Digest& blob, std::string_view text);

 private:
  Torrent(const Digest& blob, std::uint64_t size, std::vector<Sha256> roots);
  Digest blob_;
  std::uint64_t size_;
  std::uint32_t piece_bytes_;
  std::vector<Sha256> roots_;
  Sha256 root_;
  std::string voucher_;
};

}  // namespace wherry::swarm
