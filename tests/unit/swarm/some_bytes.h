// Bytes that no two tests' blobs need to have in common, the same at each run.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace wherry::testing {

inline std::string some_bytes(std::uint64_t size, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed + size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace wherry::testing
