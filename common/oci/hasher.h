// Hashing of content that comes in pieces, and whose hashing goes on after a restart.
#pragma once

#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/error.h"
#include "common/oci/digest.h"

namespace wherry {

/// A running SHA-256 or SHA-512. A plain value: a copy is a fork of the state.
///
/// Stands on OpenSSL's low-level SHA256_CTX and SHA512_CTX, deprecated since 3.0, on purpose: they use the same
/// assembly (SHA-NI, AVX2) as EVP, and EVP cannot give out its state, which an upload needs to resume after a restart.
class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm = DigestAlgorithm::kSha256);

  DigestAlgorithm algorithm() const;

  /// Takes in the next bytes. No allocation. At most 2^61 - 1 bytes in total (aborts beyond: nothing is that large).
  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes);

  /// The digest of all bytes so far; the hashing can go on after it.
  Digest finish() const;

  /// How many bytes were taken in.
  std::uint64_t size() const { return size_bytes_; }

  /// Bytes of a saved state: 106 for SHA-256, 202 for SHA-512.
  static constexpr std::size_t saved_bytes(DigestAlgorithm algorithm) {
    return algorithm == DigestAlgorithm::kSha256 ? 2 + 8 + 32 + 64 : 2 + 8 + 64 + 128;
  }

  /// The state in a form that does not depend on the machine or on OpenSSL's structs: a version byte (1), the
  /// algorithm's byte, the size so far (64 bit), the eight chaining words, and the block that is not yet full, zeros
  /// behind it. All integers big-endian. How much of the block is full and the length in bits follow from the size, so
  /// they cannot disagree with it.
  std::string save() const;

  /// Goes on from what save() gave. Errors: kCorrupt for anything save() cannot have written: another version,
  /// algorithm or length, a size over the bound, bytes behind the end of the open block, a first block with a changed
  /// chain. No secret protects it: a changed chain past the first block loads, and ends in another digest.
  static Result<Hasher> load(std::string_view saved);

 private:
  std::variant<SHA256_CTX, SHA512_CTX> state_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace wherry
