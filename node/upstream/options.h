// What configuration says of an upstream.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/config/config_file.h"
#include "common/upstream/options.h"

namespace wherry::node {

inline constexpr std::chrono::milliseconds kMaxNegativeAge{10'000};

/// What a repository of this upstream is kept below, and may be asked for below: the name, with "__" for the colon,
/// which is in no repository name; "__" is, and is in no host's.
std::string prefix_of(const std::string& name);

/// An upstream of which only the name is known. Errors: kInvalid when it is not the name of a registry.
Result<UpstreamOptions> upstream_of_name(const std::string& name);

/// How the parent's feed is followed.
struct FollowOptions {
  bool enabled = true;    ///< parent.follow: if the parent has one
  bool compress = false;  ///< parent.compress-feed: as gzip, for a thin link
  std::string key;        ///< parent.feed-key: that signs it, 64 hexadecimal digits; empty: the first that is met
  std::string join;       ///< parent.join-token, --join: used once, for a certificate
};

/// All that a node stands for.
struct Registries {
  UpstreamOptions parent;  ///< without a URL: none
  std::vector<UpstreamOptions> upstreams;
  std::string root;  ///< the upstream that unprefixed names mean; empty: the parent
  FollowOptions follow{};
};

/// Reads `parent`, `upstreams` and `root`. Errors: kInvalid, naming file, line and key.
Result<Registries> read_registries(ConfigSection& file);

}  // namespace wherry::node
