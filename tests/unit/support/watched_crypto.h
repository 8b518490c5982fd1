// WatchedCrypto: what a piece of work asks of OpenSSL, so that its cost is known without a watch on the wall.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wherry::testing {

/// The program of the unit tests has its own CRYPTO_memcmp() and EVP_PBE_scrypt(), which do the work and tell whoever
/// watches. One at a time.
class WatchedCrypto {
 public:
  WatchedCrypto();
  ~WatchedCrypto();
  WatchedCrypto(const WatchedCrypto&) = delete;
  WatchedCrypto& operator=(const WatchedCrypto&) = delete;

  /// Sizes of what was compared in constant time since the last call.
  std::vector<std::size_t> compared();
  /// Costs (N) of the passwords that were hashed since the last call.
  std::vector<std::uint64_t> hashed();
};

}  // namespace wherry::testing
