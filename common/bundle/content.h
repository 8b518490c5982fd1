// Content: the manifests and blobs of a bundle on their way into a data directory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/bundle/bundle_reader.h"
#include "common/oci/manifest.h"
#include "common/registry/storage.h"

namespace wherry::bundle {

/// In this order: take() puts all bytes on the disk, each digest checked, where nobody can ask for them; complete()
/// says whether what the names promise is there; keep() makes it the repositories'. Until keep() drop() undoes all.
class Content {
 public:
  static constexpr std::size_t kManifestsAtOnce = 256;               ///< in one transaction
  static constexpr std::size_t kBytesAtOnce = std::size_t{8} << 20;  ///< of them

  Content(BundleReader& bundle, registry::Storage& storage) : bundle_(bundle), storage_(storage) {}

  /// Whether a manifest that the names have is wanted here.
  using Wanted = std::function<Task<Result<bool>>(const RepositoryName& repository, const Digest& manifest)>;
  /// Reads the bundle to its end, once its names were read. Errors: kInvalid for what is not as it should be, kNoSpace,
  /// kIo.
  Task<Result<void>> take();
  /// Errors: kInvalid naming what is neither in the bundle nor here.
  Task<Result<void>> complete(const Wanted& wanted);
  /// Stores one manifest within a transaction, its blobs being its repository's already; true when it is new.
  using Put = std::function<Result<bool>(kv::Transaction& transaction, const RepositoryName& repository,
                                         const Digest& digest, const Manifest& manifest, std::string_view bytes)>;
  /// Before anything of a repository is put.
  using Enter = std::function<Result<void>(kv::Transaction& transaction, const RepositoryName& repository)>;
  /// A blob that no wanted manifest needs goes again.
  Task<Result<void>> keep(const Enter& enter, const Put& put);
  /// Removes the files that no row names.
  Task<void> drop();

  struct Counts {
    std::uint64_t manifests = 0;  ///< new in their repositories
    std::uint64_t blobs = 0;      ///< new in the data directory
    std::uint64_t bytes = 0;      ///< of those
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Place {
    std::uint64_t offset = 0;
    std::size_t size = 0;
    std::string media_type{};
  };
  struct Pair {
    RepositoryName repository;
    Digest digest;
  };
  struct Loaded {
    Pair pair;
    Manifest manifest;
    std::string bytes;
  };

  Task<Result<void>> take_manifests();
  Task<Result<void>> take_manifest(const TarReader::File& file);
  Task<Result<void>> take_list(const TarReader::File& file);
  Task<Result<void>> take_blobs();
  Task<Result<void>> take_blob(const Digest& digest, std::uint64_t size);
  Task<Result<void>> store_blob(const Digest& digest, std::uint64_t size);
  Task<Result<Digest>> take_end();
  Task<Result<bool>> is_stored(const Digest& blob);
  Task<Result<Manifest>> load(const Digest& digest, std::string& bytes);
  Task<Result<void>> keep_some(const std::vector<Loaded>& some, const Enter& enter, const Put& put);
  std::vector<Digest> children_of(const Manifest& manifest) const;
  Task<void> remove(const Digest& digest);
  Result<void> put_blobs(kv::Transaction& transaction, const Loaded& loaded);

  BundleReader& bundle_;
  registry::Storage& storage_;
  std::unordered_map<Digest, Place> manifests_;
  std::vector<Digest> order_;
  std::optional<Digest> list_digest_;
  std::set<Digest> expected_;  // blobs that those manifests name
  std::unordered_map<Digest, std::optional<store::BlobRow>>
      blobs_;  // in the bundle; the row of those that are new here
  std::vector<Pair> wanted_;
  Counts counts_;
};

}  // namespace wherry::bundle
