// podman, CRI-O, skopeo, buildah: one file of registries.conf.d, as text. Source: containers-registries.conf(5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/clients/mirror.h"

namespace wherry::node {

/// A user's registries.conf or a file of registries.conf.d.
struct RegistriesFile {
  std::string path;
  std::string text;
};

/// A file of ours that names the node as the first mirror of each registry, the registry itself behind it. An entry for
/// the same registry in an earlier file would be lost by ours: the last of `users`, in the order that clients read
/// them, is taken over with its mirrors. Errors: kInvalid, naming the file that is not TOML.
Result<std::string> make_registries_conf(const std::vector<RegistriesFile>& users, const NodePlace& node,
                                         const std::vector<Mirror>& mirrors);

/// A file of ours without some registries; nothing when none is left.
std::optional<std::string> remove_from_registries_conf(const std::string& old,
                                                       const std::vector<std::string>& registries);

/// Whether a user's file has its own entry for a registry. Errors: kInvalid, naming the file.
Result<bool> has_registry(const RegistriesFile& file, const std::string& registry);

}  // namespace wherry::node
