// Randomness that cannot be guessed.
#pragma once

#include <cstddef>
#include <string>

namespace wherry {

/// `bytes` random bytes of the kernel's generator as lower-case hexadecimal. Aborts when the kernel has none to give.
std::string random_hex(std::size_t bytes);

}  // namespace wherry
