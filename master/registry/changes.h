// What a push changes in the names, each within a transaction of the caller's and with its entries in the feed: the
// same for what clients push and for what replication brings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/kv/key_value.h"
#include "common/oci/digest.h"
#include "common/oci/manifest.h"
#include "common/oci/reference.h"
#include "common/store/blob_row.h"

namespace wherry::master {

/// Makes the repository when this is its first content.
Result<void> ensure_repository(kv::Transaction& transaction, const RepositoryName& repository, WallTime now);

/// A blob that is on the disk becomes one of a repository: its row, the membership, the end of its session (if any).
Result<void> record_blob(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                         const store::BlobRow& row, std::string_view session_id, WallTime now);

/// Makes a blob of `source` one of `repository`; false when it is not there.
Result<bool> mount_blob(kv::Transaction& transaction, const RepositoryName& source, const RepositoryName& repository,
                        const Digest& digest, WallTime now);

/// Stores a manifest whose bytes have that digest, and makes the tags name it. Errors: kManifestBlobUnknown, naming the
/// blobs that the repository does not hold.
Result<void> store_manifest(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                            const Manifest& manifest, std::string_view bytes, const std::vector<std::string>& tags,
                            WallTime now);

/// Removes a tag, or a manifest with all its tags. Errors: kManifestUnknown.
Result<void> remove_reference(kv::Transaction& transaction, const RepositoryName& repository,
                              const Reference& reference, WallTime now);

}  // namespace wherry::master
