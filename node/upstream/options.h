// What configuration says of an upstream.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/config/config_file.h"
#include "common/oci/platforms.h"
#include "node/upstream/budget.h"

namespace wherry::node {

struct UpstreamOptions {
  std::string name;              ///< As clients name it: "docker.io", "registry.example:5000"; the parent's is empty.
  std::string url;               ///< http://host:port or https://..., without /v2
  std::string ca_file;           ///< PEM; empty: the system's
  std::string credentials_file;  ///< see read_credentials()
  std::string proxy;             ///< URL; empty: none
  std::vector<std::string> aliases;    ///< other names of it in `?ns=` and paths
  std::vector<std::string> allow;      ///< patterns of repositories that may be asked for; empty: all
  std::vector<std::string> deny;       ///< patterns of those that may not, whatever `allow` says
  std::vector<std::string> realms;     ///< hosts (with port, if any) of token servers beside its own
  std::vector<std::string> redirects;  ///< hosts that it may redirect to although their addresses are not public
  PlatformChoice platforms;            ///< images of these come with the index that names them
  bool library = false;                ///< names of one part are below library/
  BudgetLimits limits;
  std::chrono::milliseconds connect_time{5'000};
  std::chrono::milliseconds silence{30'000};
  std::uint64_t least_bytes_per_second = 1024;  ///< of a blob, over `silence`: a slower source is given up; 0: any
  std::chrono::milliseconds negative_age{0};    ///< how long "not there" is believed; at most kMaxNegativeAge
};

inline constexpr std::chrono::milliseconds kMaxNegativeAge{10'000};

/// What a repository of this upstream is kept below, and may be asked for below: the name, with "__" for the colon,
/// which is in no repository name; "__" is, and is in no host's.
std::string prefix_of(const std::string& name);

/// An upstream of which only the name is known. Errors: kInvalid when it is not the name of a registry.
Result<UpstreamOptions> upstream_of_name(const std::string& name);

/// How the parent's feed is followed.
struct FollowOptions {
  bool enabled = true;  ///< parent.follow: if the parent has one
  std::string key;      ///< parent.feed-key: that signs it, 64 hexadecimal digits; empty: the first that is met
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
