// LocalSide: this master as the source or the target of a replication.
#pragma once

#include <map>

#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "master/registry/upload_sessions.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// What comes is stored as a client's push is: the same order, the same rows, the same entries in the feed. Blobs on
/// their way are upload sessions, so that a crash loses at most kKeepBytes of one. All of it outlives it. One loop.
class LocalSide final : public Source, public Target {
 public:
  static constexpr std::uint64_t kKeepBytes = std::uint64_t{64} << 20;

  LocalSide(registry::Storage& storage, registry::NameStore& names, registry::Blobs& blobs,
            master::UploadSessions& sessions)
      : storage_(storage), names_(names), blobs_(blobs), sessions_(sessions) {}

  std::string name() const override { return "this master"; }
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
  /// Errors: kNoSpace while the disk has no room for it.
  Task<Result<std::uint64_t>> put_blob(const RepositoryName& repository, const Digest& digest, http::RequestBody& blob,
                                       std::string& session, std::optional<RepositoryName> mount_from,
                                       Kept kept) override;
  Task<Result<bool>> put_manifest(const RepositoryName& repository, const Reference& reference, const Digest& digest,
                                  std::string_view media_type, std::string_view bytes) override;
  Task<Result<void>> remove(const RepositoryName& repository, const Reference& reference) override;
  Task<Result<bool>> lists_referrers(const RepositoryName& repository) override;

  /// How many entries of this master's feed came of what was stored and removed through this, by repository.
  const std::map<std::string, std::uint64_t>& entries() const { return entries_; }

 private:
  Task<Result<bool>> mount(const RepositoryName& repository, const Digest& digest, const RepositoryName& from);
  Task<Result<master::UploadSession>> session_of(const RepositoryName& repository, const Digest& digest,
                                                 std::string& session);
  Task<Result<void>> take_in(http::RequestBody& blob, store::BlobWriter& writer, master::UploadSession& session,
                             const Kept& kept);
  Task<Result<void>> keep(store::BlobWriter& writer, master::UploadSession& session, const Kept& kept,
                          std::uint64_t& reported);

  registry::Storage& storage_;
  registry::NameStore& names_;
  registry::Blobs& blobs_;
  master::UploadSessions& sessions_;
  std::map<std::string, std::uint64_t> entries_;
};

}  // namespace wherry::replication
