// Randomness that cannot be guessed.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace wherry {

/// Fills `into` from the kernel's generator. Aborts when the kernel has none to give.
void fill_random(std::span<std::byte> into);

/// `bytes` random bytes of the kernel's generator as lower-case hexadecimal. Aborts when the kernel has none to give.
std::string random_hex(std::size_t bytes);

}  // namespace wherry
