// The name of content: a hash algorithm and the hash, the only key under which bytes are kept or asked for.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry {

/// The registered algorithms that this registry takes. The values are stored (Digest::binary): never change them.
enum class DigestAlgorithm : std::uint8_t { kSha256 = 1, kSha512 = 2 };

/// "sha256" or "sha512" and nothing else. Errors: kDigestInvalid. Source: OCI image-spec, "Registered algorithms".
Result<DigestAlgorithm> parse_algorithm(std::string_view name);

/// The name of an algorithm as it stands before the colon. Never dangles.
std::string_view algorithm_name(DigestAlgorithm algorithm);

/// Bytes of a hash: 32 or 64.
constexpr std::size_t digest_bytes(DigestAlgorithm algorithm) {
  return algorithm == DigestAlgorithm::kSha256 ? 32 : 64;
}

/// A value of 65 bytes; copying one allocates nothing. There is no empty digest: use std::optional.
class Digest {
 public:
  /// Reads the text form: exactly "sha256:" and 64, or "sha512:" and 128 lower-case hex digits. No allocation when
  /// good. Errors: kDigestInvalid, saying what is wrong. Source: OCI image-spec, "Digests". Safe as part of a path when
  /// parsed.
  static Result<Digest> parse(std::string_view text);

  /// Reads what binary() wrote. Errors: kDigestInvalid (of a stored key: somebody broke the store).
  static Result<Digest> from_binary(std::string_view binary);

  /// Takes the raw hash, which must have digest_bytes(algorithm) bytes. Errors: kDigestInvalid.
  static Result<Digest> from_raw(DigestAlgorithm algorithm, std::span<const std::byte> raw);

  /// Hashes `bytes` in one go; see Hasher for content that comes in pieces.
  static Digest of(DigestAlgorithm algorithm, std::span<const std::byte> bytes);
  static Digest of(DigestAlgorithm algorithm, std::string_view bytes);

  DigestAlgorithm algorithm() const { return algorithm_; }
  std::string_view algorithm_name() const { return wherry::algorithm_name(algorithm_); }

  /// The hash, 32 or 64 bytes; points into this object.
  std::span<const std::byte> raw() const { return std::as_bytes(std::span(bytes_)).first(digest_bytes(algorithm_)); }

  /// The registered form, e.g. "sha256:9f86d0...": the inverse of parse().
  std::string to_string() const;
  void append_to(std::string& out) const;  ///< The same, behind what is there.
  /// Only the 64 or 128 hex digits.
  std::string hex() const;
  /// One byte for the algorithm, then raw(): 33 or 65 bytes, for keys. Sorts as operator<=> does.
  std::string binary() const;

  friend bool operator==(const Digest&, const Digest&) = default;
  friend std::strong_ordering operator<=>(const Digest&, const Digest&) = default;

  /// For hash tables of this process: seeded at random, for clients may choose digests to collide. About 2 ns.
  std::size_t hash() const noexcept;

 private:
  friend class Hasher;
  explicit Digest(DigestAlgorithm algorithm) : algorithm_(algorithm) {}

  DigestAlgorithm algorithm_;
  std::array<std::uint8_t, 64> bytes_{};  // those past the hash are zero, so that comparing all of them is right
};

}  // namespace wherry

/// Not noexcept: so tables of libstdc++ keep the hashes, and do not compute them anew at each step along a bucket.
template <>
struct std::hash<wherry::Digest> {
  std::size_t operator()(const wherry::Digest& digest) const { return digest.hash(); }
};
