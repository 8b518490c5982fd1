// PieceSet: some of the pieces of a blob.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::swarm {

/// Pieces next to one another.
struct PieceRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

/// A bit for each piece of a blob. A plain value.
class PieceSet {
 public:
  static constexpr std::uint32_t kMost = std::uint32_t{1} << 16;  ///< pieces of one blob

  explicit PieceSet(std::uint32_t pieces = 0, bool all = false)
      : pieces_(pieces), words_((pieces + 63) / 64, all ? ~std::uint64_t{0} : 0), count_(all ? pieces : 0) {
    if (all && pieces % 64 != 0) words_.back() = (std::uint64_t{1} << (pieces % 64)) - 1;
  }

  std::uint32_t pieces() const { return pieces_; }
  std::uint32_t count() const { return count_; }
  bool has(std::uint32_t piece) const { return (words_[piece / 64] >> (piece % 64) & 1) != 0; }
  /// True when it was not in it.
  bool add(std::uint32_t piece);
  void remove(std::uint32_t piece);
  void add(PieceRun run);
  void remove(PieceRun run);
  /// Of as many pieces, as the other operand of these is, too.
  PieceSet& operator&=(const PieceSet& other);
  PieceSet& operator-=(const PieceSet& other);
  /// The first one from `from` on, or pieces() when there is none.
  std::uint32_t next(std::uint32_t from) const;

  /// Base64 of its bits, the first piece in the lowest bit of the first byte.
  std::string encode() const;
  /// Nothing when it is not that of so many pieces.
  static std::optional<PieceSet> decode(std::string_view text, std::uint32_t pieces);

 private:
  template <class Combine>
  PieceSet& combine(const PieceSet& other, const Combine& combined);

  std::uint32_t pieces_;
  std::vector<std::uint64_t> words_;
  std::uint32_t count_;
};

}  // namespace wherry::swarm
