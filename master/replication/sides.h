// The two sides of a replication: where images come from and where they go. A side is this master, or a registry that
// is asked over the distribution protocol.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/http/request_body.h"
#include "common/oci/manifest.h"
#include "common/registry/catalog.h"

namespace wherry::replication {

using registry::NamePage;
using registry::StoredManifest;

/// What both sides can tell. Errors of all: kManifestUnknown, kBlobUnknown, kNameUnknown for what is not there; those
/// of Origin::ask() of a remote side.
class Side {
 public:
  static constexpr std::size_t kMaxReferrers = 10'000;     ///< of one manifest
  static constexpr std::size_t kMaxManifests = 1'000'000;  ///< of one repository; of more is told nothing

  virtual ~Side() = default;
  /// For messages: "this master", or a URL.
  virtual std::string name() const = 0;
  virtual Task<Result<NamePage>> repositories(std::string last) = 0;
  virtual Task<Result<NamePage>> tags(const RepositoryName& repository, std::string last) = 0;
  /// The digest that a reference has; nothing when it is not there.
  virtual Task<Result<std::optional<Digest>>> resolve(const RepositoryName& repository, const Reference& reference) = 0;
  virtual Task<Result<StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference) = 0;
  /// The manifests whose subject it is, those that a fallback tag names among them.
  virtual Task<Result<std::vector<Digest>>> referrers(const RepositoryName& repository, const Digest& digest) = 0;
  /// The manifests of a repository, none when it is not there: `all`, or those alone that neither a tag nor another
  /// manifest leads to. Nothing where a side cannot tell: only we have such a list.
  enum class Which : std::uint8_t { kAll, kUntagged };
  virtual Task<Result<std::optional<std::set<Digest>>>> manifests(const RepositoryName& repository, Which which) = 0;
  /// Whether it is there and nothing leads to it; false where the side cannot tell.
  virtual Task<Result<bool>> is_untagged(const RepositoryName& repository, const Digest& digest) = 0;
};

class Source : public virtual Side {
 public:
  /// A blob that a manifest names. Errors: kBlobUnknown.
  virtual Task<Result<std::shared_ptr<http::RequestBody>>> open(const RepositoryName& repository,
                                                                const Descriptor& blob) = 0;
  /// Some of the repositories that hold a blob, where the source can tell.
  virtual Task<Result<std::vector<std::string>>> holders(const Digest& digest) = 0;
};

/// Told how many bytes of a blob the target took since it was last told, each time that the place to go on from
/// changes.
using Kept = std::function<Task<Result<void>>(std::uint64_t bytes)>;

class Target : public virtual Side {
 public:
  virtual Task<Result<bool>> has_blob(const RepositoryName& repository, const Digest& digest) = 0;
  /// Makes a blob one of `repository`. `session` is where an attempt before broke off, and is kept up to date;
  /// `mount_from` is another repository of the target that has it, if one is known.
  virtual Task<Result<std::uint64_t>> put_blob(const RepositoryName& repository, const Digest& digest,
                                               http::RequestBody& blob, std::string& session,
                                               std::optional<RepositoryName> mount_from, Kept kept) = 0;
  /// True when the target lists it among the referrers of its subject by itself.
  virtual Task<Result<bool>> put_manifest(const RepositoryName& repository, const Reference& reference,
                                          const Digest& digest, std::string_view media_type,
                                          std::string_view bytes) = 0;
  /// Fine when it is not there. Errors: kUnsupported when the target cannot do that.
  virtual Task<Result<void>> remove(const RepositoryName& repository, const Reference& reference) = 0;
  /// Whether it lists referrers by itself.
  virtual Task<Result<bool>> lists_referrers(const RepositoryName& repository) = 0;
};

}  // namespace wherry::replication
