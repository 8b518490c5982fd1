// RemoteSide: another registry as the source or the target of a replication.
#pragma once

#include "common/upstream/push_target.h"
#include "common/upstream/upstream.h"
#include "master/replication/policy.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// `origin` outlives it. One loop.
class RemoteSide final : public Source, public Target {
 public:
  /// `direction` tells which rights are asked for: a source need not let us push.
  RemoteSide(Origin& origin, Direction direction)
      : origin_(origin), direction_(direction), upstream_(origin), push_(origin) {}

  std::string name() const override { return origin_.url(); }
  Task<Result<NamePage>> repositories(std::string last) override;
  Task<Result<NamePage>> tags(const RepositoryName& repository, std::string last) override;
  Task<Result<std::optional<Digest>>> resolve(const RepositoryName& repository, const Reference& reference) override;
  Task<Result<StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference) override;
  Task<Result<std::vector<Digest>>> referrers(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::shared_ptr<http::RequestBody>>> open(const RepositoryName& repository,
                                                        const Descriptor& blob) override;
  Task<Result<std::vector<std::string>>> holders(const Digest& digest) override;
  Task<Result<std::optional<std::set<Digest>>>> manifests(const RepositoryName& repository, Which which) override;
  Task<Result<bool>> is_untagged(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<bool>> has_blob(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> put_blob(const RepositoryName& repository, const Digest& digest, http::RequestBody& blob,
                                       std::string& session, std::optional<RepositoryName> mount_from,
                                       Kept kept) override;
  Task<Result<bool>> put_manifest(const RepositoryName& repository, const Reference& reference, const Digest& digest,
                                  std::string_view media_type, std::string_view bytes) override;
  Task<Result<void>> remove(const RepositoryName& repository, const Reference& reference) override;
  Task<Result<bool>> lists_referrers(const RepositoryName& repository) override;

 private:
  Origin& origin_;
  const Direction direction_;
  Upstream upstream_;
  PushTarget push_;
  bool lists_referrers_ = false;  // known to
  bool lists_manifests_ = true;   // not known not to
};

/// The digests of descriptors as a registry lists them; those that cannot be read are left out.
std::vector<Digest> digests_of(const std::vector<std::string>& descriptors);

}  // namespace wherry::replication
