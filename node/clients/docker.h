// docker: daemon.json, as text. Source: dockerd's reference, "Daemon configuration file".
#pragma once

#include <optional>
#include <string>

#include "node/clients/mirror.h"

namespace wherry::node {

/// A daemon.json with the node first among `registry-mirrors`, and among `insecure-registries` when it speaks plain
/// HTTP from elsewhere. Other keys keep their values and order; the indentation is the one of `old`. A text that has
/// both comes out as it is. Errors: kInvalid when it is no JSON, or either key is no list of texts.
Result<std::string> add_to_daemon_json(const std::optional<std::string>& old, const NodePlace& node);

/// The text without the node. `first` is what the file was before a run changed it first, if there was one: those very
/// bytes when they say the same, and an entry that was there then stays. Nothing when the file is left without a key
/// and there was none. Errors: those of add_to_daemon_json().
Result<std::optional<std::string>> remove_from_daemon_json(const std::string& old, const NodePlace& node,
                                                           const std::optional<std::string>& first);

}  // namespace wherry::node
