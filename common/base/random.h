// Randomness: what cannot be guessed, and what keeps many from acting in step.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

namespace wherry {

/// Fills `into` from the kernel's generator. Aborts when the kernel has none to give.
void fill_random(std::span<std::byte> into);

/// `bytes` random bytes of the kernel's generator as lower-case hexadecimal. Aborts when the kernel has none to give.
std::string random_hex(std::size_t bytes);

/// Between half of it and all of it, evenly: many that failed together do not come back together. Cheap, guessable.
std::chrono::milliseconds jittered(std::chrono::milliseconds pause);

}  // namespace wherry
