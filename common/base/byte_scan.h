// find_byte(): looks for bytes of a kind, sixteen at a time.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace wherry {

/// Some bytes of a text, of which each is asked at once: compilers make one instruction of it where a processor has
/// one. Source: "Vector Extensions" of GCC's manual.
class SomeBytes {
 public:
  static constexpr std::size_t kCount = 16;
  /// A byte of ones for each that is so.
  using Mask = signed char __attribute__((vector_size(kCount)));

  explicit SomeBytes(const char* at) { std::memcpy(&bytes_, at, kCount); }

  Mask below(unsigned char least) const { return bytes_ < least; }
  Mask at_least(unsigned char least) const { return bytes_ >= least; }
  Mask equal_to(unsigned char byte) const { return bytes_ == byte; }

  static bool any(Mask mask) {
    const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(mask);
    return (words[0] | words[1]) != 0;
  }

 private:
  using Bytes = unsigned char __attribute__((vector_size(kCount)));
  Bytes bytes_;
};

/// Where the first byte stands that `is_one` is true for; npos when there is none. `which` says the same of SomeBytes,
/// as a mask.
template <class Which, class IsOne>
std::size_t find_byte(std::string_view text, Which which, IsOne is_one) {
  constexpr std::size_t kStep = SomeBytes::kCount;
  std::size_t from = 0;
  std::size_t until = text.size();
  if (text.size() >= kStep) {
    const std::size_t last = text.size() - kStep;
    std::size_t at = 0;
    while (at < last && !SomeBytes::any(which(SomeBytes(text.data() + at)))) at += kStep;
    at = std::min(at, last);
    if (at == last && !SomeBytes::any(which(SomeBytes(text.data() + at)))) return std::string_view::npos;
    from = at;
    until = at + kStep;
  }
  for (std::size_t at = from; at < until; ++at)
    if (is_one(text[at])) return at;
  return std::string_view::npos;
}

}  // namespace wherry
