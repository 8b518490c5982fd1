// What configure-client does for a kind of client: which files, and what each becomes. Reads files, writes none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/clients/client_files.h"
#include "node/clients/mirror.h"

namespace wherry::node {

enum class ClientKind { kContainerd, kDocker, kPodman, kCrio };

/// What the clients of a machine are to be told.
struct ClientWish {
  ClientKind kind = ClientKind::kContainerd;
  std::optional<NodePlace> node;  ///< there, unless something other than docker is to forget it
  std::string ca;                 ///< PEM of the node's CA; empty: the system's
  std::vector<Mirror> mirrors;
  std::vector<std::string> forget;  ///< for plan_remove(): these registries alone; empty: all that is ours
};

/// Edits, those that change nothing among them, and what is to be said once they are made.
struct ClientPlan {
  std::vector<FileEdit> edits;
  std::vector<std::string> notes;
};

/// After these edits what is ours is what `wish` says and no more. Errors: kInvalid for a user's file that cannot be
/// understood, kIo, kTooLarge; each names the file.
Result<ClientPlan> plan_configure(const ClientFiles& files, const ClientWish& wish);
/// After these edits nothing of ours is left. Errors: as above.
Result<ClientPlan> plan_remove(const ClientFiles& files, const ClientWish& wish);

}  // namespace wherry::node
