// A bit for each piece, with what the choice of the rarest needs.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wherry::bench {

class Bits {
 public:
  explicit Bits(std::size_t count) : words_((count + 63) / 64) {}
  bool has(std::size_t at) const { return (words_[at / 64] >> (at % 64) & 1) != 0; }
  void add(std::size_t at) { words_[at / 64] |= std::uint64_t{1} << (at % 64); }

  /// Calls `act(at)` for what `held` has and `taken` has not.
  template <class Act>
  static void each_of_without(const Bits& held, const Bits& taken, Act act) {
    for (std::size_t word = 0; word < held.words_.size(); ++word)
      for (std::uint64_t bits = held.words_[word] & ~taken.words_[word]; bits != 0; bits &= bits - 1)
        act(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace wherry::bench
