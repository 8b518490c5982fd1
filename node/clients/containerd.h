// containerd: hosts.toml of one registry, as text. Source: containerd, docs/hosts.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/clients/mirror.h"

namespace wherry::node {

/// What stands beside the file, and why a file of ours has to repeat it: where there is a hosts.toml, containerd reads
/// neither loose certificates nor the folder of all other registries.
struct ContainerdFolder {
  std::vector<std::string> ca;                              ///< names of *.crt beside it
  std::vector<std::pair<std::string, std::string>> client;  ///< names of *.cert and *.key beside it
  std::optional<std::string> fallback;  ///< _default/hosts.toml, where the registry has no folder of its own
};

/// A hosts.toml where the node comes first, then what the user had, then the origin. `old` is the text that is there; a
/// user's keeps every byte and gets a table of ours in front of its own, between two comments. `ca` is the path of the
/// node's CA; empty: the system's. The result given as `old` comes out as it is.
/// Errors: kInvalid when the user's text is not TOML, or has its hosts in a form that nothing can be put before.
Result<std::string> add_to_hosts_toml(const std::optional<std::string>& old, const NodePlace& node,
                                      const Mirror& mirror, const std::string& ca, const ContainerdFolder& folder);

/// The text without what is ours, which is what it was before; nothing where the whole file is ours.
/// Errors: kInvalid when one of the two comments is gone.
Result<std::optional<std::string>> remove_from_hosts_toml(const std::string& old);

/// Whether a hosts.toml has anything of ours.
bool is_hosts_toml_ours(std::string_view text);

/// Whether containerd's own configuration sends its CRI to a folder of hosts.toml files.
bool reads_hosts_toml(std::string_view containerd_config);

}  // namespace wherry::node
