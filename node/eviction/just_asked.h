// JustAsked: manifests that the ledger was told of a moment ago, for a loop that is asked for the same again and again.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "common/base/clock.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"

namespace wherry::node {

/// A table of fixed size in which each manifest has one place: another one that falls on it takes it over, and the
/// ledger is told once more often. Of one loop.
class JustAsked {
 public:
  static constexpr std::size_t kPlaces = 512;

  /// Whether the ledger was told of it less than `within` ago and in the same epoch; if not, it is told now.
  bool told(const RepositoryName& repository, const Digest& digest, bool by_tag, std::uint64_t epoch, Monotonic now,
            Duration within) {
    const std::size_t name = std::hash<std::string_view>()(repository.text());
    std::optional<Place>& place = places_[((digest.hash() ^ name) + (by_tag ? 1 : 0)) % kPlaces];
    if (place && place->name == name && place->digest == digest && place->by_tag == by_tag && place->epoch == epoch &&
        now - place->at < within)
      return true;
    place.emplace(Place{digest, name, epoch, now, by_tag});
    return false;
  }

 private:
  struct Place {
    Digest digest;
    std::size_t name;  ///< a hash: two names that share it cost one of them a mention, for a moment
    std::uint64_t epoch;
    Monotonic at;
    bool by_tag;
  };
  std::array<std::optional<Place>, kPlaces> places_;
};

}  // namespace wherry::node
