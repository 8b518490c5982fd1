// Changes: what a feed says has changed, as far as a policy wants to know.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/feed/change.h"
#include "common/kv/key_value.h"

namespace wherry::replication {

/// What has changed in a repository.
struct Touched {
  static constexpr std::size_t kMost = 10'000;  ///< tags and manifests; beyond, all of it is looked at

  bool whole = false;          ///< all of it is to be looked at
  std::set<std::string> tags;  ///< set or removed; what they mean now the source tells
  std::set<Digest> manifests;  ///< that came
  bool is_too_much() const { return whole || tags.size() + manifests.size() > kMost; }
};

/// Nothing else is known to be otherwise.
struct Changes {
  std::map<std::string, Touched> repositories;
  /// Manifests that were deleted: repository and digest.
  std::vector<std::pair<std::string, Digest>> gone;

  /// Takes one entry in; what concerns no repository, or nothing that a name leads to yet, is nothing.
  void take(const feed::Change& change);
};

/// Of the entries of a feed, that are read for one execution: beyond, comparing all is cheaper.
inline constexpr std::uint64_t kMaxFeedEntries = 100'000;

/// Which repositories are of interest.
using Wants = std::function<bool(const std::string& repository)>;

/// What this master's own log says happened after `position` up to `head`. Nothing when it cannot tell: it does not go
/// back that far any more, or those are more than kMaxFeedEntries. Errors: those of the store.
Task<Result<std::optional<Changes>>> changes_here(kv::KeyValue& names, std::uint64_t position, std::uint64_t head,
                                                  Wants wants);

/// How many entries of each repository that log has there. Nothing when it cannot tell.
Task<Result<std::optional<std::map<std::string, std::uint64_t>>>> entries_here(kv::KeyValue& names,
                                                                               std::uint64_t position,
                                                                               std::uint64_t head, Wants wants);

}  // namespace wherry::replication
