// TokenMemory: tokens that were verified already, on one loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/auth/claims.h"

namespace wherry::auth {

/// A token is looked up by a hash of its end, its signature, whose seed nobody knows, and then compared as a whole:
/// what that comparison costs tells nothing, for only a token with the same signature is compared. Below 0.1 us.
/// Bounded: kMost of them.
class TokenMemory {
 public:
  static constexpr std::size_t kMost = 4096;
  /// More than a signature of ES256 takes, 86.
  static constexpr std::size_t kHashedBytes = 128;

  struct Known {
    std::string token;
    std::shared_ptr<const Claims> claims;
    /// The version of the policy (PolicyBoard::View) by which it was not revoked when that was asked last.
    std::optional<std::uint64_t> counted_by;
  };

  TokenMemory();
  /// Null for what is not known or has expired; valid until the next call. `settings` are those of the moment: what was
  /// verified by others does not count any more.
  Known* find(std::string_view token, const std::shared_ptr<const AccessSettings>& settings, WallTime now);
  Known& keep(std::string_view token, const std::shared_ptr<const AccessSettings>& settings,
              std::shared_ptr<const Claims> claims);

 private:
  std::uint64_t hash(std::string_view token) const;
  void check(const std::shared_ptr<const AccessSettings>& settings);

  std::uint64_t seed_;
  std::shared_ptr<const AccessSettings> settings_;
  std::unordered_map<std::uint64_t, Known> kept_;
};

}  // namespace wherry::auth
