// NameStore: names as this process holds them, in the tables of tables.h.
#pragma once

#include <optional>
#include <vector>

#include "common/kv/key_value.h"
#include "common/oci/manifest.h"
#include "common/registry/catalog.h"
#include "common/store/blob_row.h"

namespace wherry::registry {

/// Reads names and manifests out of the ordered store. The master's Catalog, and what a node knows without asking.
class NameStore final : public Catalog {
 public:
  explicit NameStore(kv::KeyValue& store) : store_(store) {}

  Task<Result<StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference) override;
  Task<Result<NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit) override;
  Task<Result<NamePage>> repositories(std::string last, std::size_t limit) override;
  Task<Result<ReferrerPage>> referrers(const RepositoryName& repository, const Digest& digest,
                                       std::string artifact_type, std::string last, std::size_t limit) override;
  /// Looks at no more manifests than kMaxPage, whatever `query.limit` says.
  Task<Result<ManifestPage>> manifests(const RepositoryName& repository, const ManifestQuery& query) override;
  Task<Result<std::optional<std::uint64_t>>> position() override;

  /// What a tag names. Errors: kManifestUnknown.
  Task<Result<Digest>> resolve(const RepositoryName& repository, const Tag& tag);
  /// A manifest by its digest. Errors: kManifestUnknown.
  Task<Result<StoredManifest>> by_digest(const RepositoryName& repository, const Digest& digest);
  /// The row of a blob that this repository holds. Errors: kBlobUnknown.
  Task<Result<store::BlobRow>> member(const RepositoryName& repository, const Digest& digest);
  Task<Result<bool>> has_repository(const RepositoryName& repository);
  /// Every repository that holds a blob; at most `limit`.
  Task<Result<std::vector<std::string>>> holders(const Digest& digest, std::size_t limit);

 private:
  Task<Result<bool>> is_led_to(const RepositoryName& repository, const Digest& digest);
  Task<Result<NamePage>> names(std::string prefix, std::string last, std::size_t limit);

  kv::KeyValue& store_;
};

/// Writes within a transaction; each keeps all tables in step. The feed's entries are the caller's.
void put_membership(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest);
void erase_membership(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest);
/// Stores a manifest with its references and its referrer row; true when it was not there. The same bytes may come
/// again under another media type, by which they link to other things: then those of before are forgotten.
Result<bool> put_manifest(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                          const Manifest& manifest, std::string_view bytes);
/// Removes a manifest with all that put_manifest() wrote and every tag that names it; gives those tags.
Result<std::vector<std::string>> erase_manifest(kv::Transaction& transaction, const RepositoryName& repository,
                                                const Digest& digest);
/// Makes a tag name a manifest. Gives what it named before.
Result<std::optional<Digest>> put_tag(kv::Transaction& transaction, const RepositoryName& repository,
                                      std::string_view tag, const Digest& digest);
/// Removes a tag. Gives what it named; nothing when there was none.
Result<std::optional<Digest>> erase_tag(kv::Transaction& transaction, const RepositoryName& repository,
                                        std::string_view tag);

Error manifest_unknown(const RepositoryName& repository, std::string_view reference);
Error blob_unknown(const RepositoryName& repository, const Digest& digest);
Error name_unknown(const RepositoryName& repository);

}  // namespace wherry::registry
