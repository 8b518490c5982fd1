// SetDigest: a digest of a set that is kept up to date element by element, so that two states can be compared.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/feed/hash.h"

namespace wherry::feed {

/// LtHash16 with 1,024 lanes: each element is stretched to 2 KiB (the ChaCha20 key stream of its SHA-256) and added,
/// lane by lane modulo 2^16. The order of additions and removals does not matter. Each costs about 1 us. Elements must
/// not be added twice: a set is meant, and adding counts. Source: Bellare and Micciancio 1997, "A New Paradigm for
/// Collision-free Hashing"; Lewi et al. 2019, "Securing Update Propagation with Homomorphic Hashing".
class SetDigest {
 public:
  static constexpr std::size_t kLanes = 1024;
  static constexpr std::size_t kStateBytes = kLanes * 2;

  void add(std::string_view element);
  void remove(std::string_view element);

  /// SHA-256 of the state: what is compared and signed.
  Hash digest() const;
  /// kStateBytes, big-endian lanes; and back. Errors: kCorrupt for another length.
  std::string save() const;
  static Result<SetDigest> load(std::string_view saved);
  bool operator==(const SetDigest&) const = default;

 private:
  using Stretched = std::array<std::uint16_t, kLanes>;
  static void stretch(std::string_view element, Stretched& lanes);

  std::array<std::uint16_t, kLanes> lanes_{};
};

}  // namespace wherry::feed
