// Uplink: a link that is shared fairly, block by block, by a few receivers; others wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace wherry::bench {

/// Those who are sent to take turns, a block each: what as many TCP streams come to, without their losses. When others
/// wait, a receiver's place goes to the next one after each piece.
class Uplink {
 public:
  static constexpr std::uint32_t kBlockBytes = 16 * 1024;

  struct Block {
    std::uint32_t to;
    std::uint32_t piece;
    std::uint32_t bytes;
    bool last;  ///< of its piece
  };

  /// Of so many receivers at a time.
  explicit Uplink(std::uint64_t places) : places_(places) {}

  void want(std::uint32_t to, std::uint32_t piece, std::uint32_t bytes);
  bool idle() const { return !on_its_way_; }
  /// The next block, which is on its way from now on. Nothing when nobody wants any.
  std::optional<Block> begin();
  /// It has left.
  Block end();

 private:
  struct Rest {
    std::uint32_t piece;
    std::uint32_t bytes;
  };
  struct Lane {
    std::uint32_t to;
    std::vector<Rest> pieces;
  };

  void piece_ends();

  std::uint64_t places_;
  std::vector<Lane> active_;
  std::deque<Lane> waiting_;
  std::size_t turn_ = 0;
  std::optional<Block> on_its_way_;
};

}  // namespace wherry::bench
