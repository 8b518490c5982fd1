// The state that the feed's entries add up to: which repositories, manifests and tags there are, and each project's
// digest. Kept by the transaction that appends an entry, in the same way at the master and at every follower.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/change.h"
#include "common/feed/set_digest.h"
#include "common/kv/key_value.h"
#include "common/oci/digest.h"

namespace wherry::feed {

/// Applies entries within a transaction: of a project many, at the cost of one read and one write of its digest. What
/// an entry says may be so already (a snapshot is older than its first rows): then nothing changes.
class StateWriter {
 public:
  explicit StateWriter(kv::Transaction& transaction) : transaction_(transaction) {}

  /// Gives what a tag named before, when the entry moved or removed one. A repository goes empty: its tags and
  /// manifests went before it, by entries of their own. Errors: those of the transaction, kCorrupt for a damaged row.
  Result<std::optional<Digest>> apply(const Change& change);
  /// A row of a snapshot, as for_each_row() gives it. Errors: kInvalid for one that no state has.
  Result<void> put_row(std::string_view key, std::string_view value);
  Result<void> erase_row(std::string_view key);
  /// Writes the digests of the projects that changed.
  Result<void> finish();

 private:
  Result<SetDigest*> digest_of(std::string_view project);
  Result<std::optional<std::string>> put(std::string_view project, const std::string& key, std::string_view value);
  Result<std::optional<std::string>> erase(std::string_view project, const std::string& key);

  kv::Transaction& transaction_;
  std::map<std::string, SetDigest, std::less<>> digests_;
};

/// Rows: 'n', the kind, then what they are about.
inline constexpr char kStateTable = 'n';
std::string state_repository_key(std::string_view repository);                 ///< n r repo -> nothing
std::string state_tag_key(std::string_view repository, std::string_view tag);  ///< n t repo 0 tag -> digest
std::string state_tags_prefix(std::string_view repository);
std::string state_manifest_key(std::string_view repository, const Digest& digest);  ///< n m repo 0 digest -> nothing
std::string state_repositories_prefix();
std::string state_digests_prefix();   ///< n d project -> SetDigest; not a row of the state itself
std::string state_policies_prefix();  ///< n p name -> JSON
std::string state_projects_prefix();  ///< n j project -> JSON
std::string state_keys_prefix();      ///< n k raw public key -> KeyRecord

/// The project that a row counts for; nothing for a key that is no row of a state.
std::optional<std::string_view> project_of_row(std::string_view key);

/// What a row of a tag or of a manifest is about; empty for other rows. Views into `key`.
struct StateRow {
  std::string_view repository;
  std::string_view tag;
  std::string_view digest;  ///< binary
};
StateRow parse_state_row(std::string_view key);

/// Prefixes of all rows that make up the state, in the order in which a snapshot has them.
std::vector<std::string> state_prefixes();

/// Of each project with names in it, and of "" for what is of none. Equal digests: equal names.
using ProjectDigests = std::map<std::string, Hash, std::less<>>;
/// What two places that should be equal compare.
Task<Result<ProjectDigests>> project_digests(kv::KeyValue& store);
/// The same within a transaction.
Result<ProjectDigests> project_digests(kv::Transaction& transaction);

}  // namespace wherry::feed
