// What clients are told: which registries a node stands for, and how to reach it.
#pragma once

#include <string>
#include <vector>

#include "common/base/error.h"

namespace wherry::node {

/// The node as clients reach it.
struct NodePlace {
  std::string url;   ///< http://HOST:PORT or https://HOST, without a slash at its end
  std::string host;  ///< HOST or HOST:PORT, as in the URL
  bool is_plain = false;
  bool is_loopback = false;

  /// Errors: kInvalid when the text is no URL of a server, or has a path: docker knows mirrors at a root alone.
  static Result<NodePlace> parse(const std::string& url);
};

/// A registry that a node stands for.
struct Mirror {
  std::string registry;  ///< as clients name it: docker.io, registry.example:5000
  std::string path;      ///< below which the node has its repositories; empty: at the root
  std::string origin;    ///< URL of the registry itself, where clients go when the node does not answer

  /// HOST[:PORT] of the origin as podman and its kin name it.
  std::string origin_location() const;
  bool is_origin_plain() const;
};

/// The first line of a file that is ours.
inline constexpr std::string_view kOwnFile =
    "# Written by wherry-node configure-client, anew by each run; without this line it is yours.\n";

inline bool is_own_file(std::string_view text) { return text.starts_with(kOwnFile); }

}  // namespace wherry::node
