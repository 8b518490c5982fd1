// The master's blobs: what a repository holds, from files, with damage put aside.
#pragma once

#include "common/async/scope.h"
#include "common/registry/catalog.h"
#include "common/registry/name_store.h"
#include "common/registry/stored_body.h"
#include "common/registry/storage.h"

namespace wherry::master {

/// Opens blobs of repositories. A damaged one is moved to quarantine/ and forgotten, so that pushing it again heals every
/// repository that holds it; the log names those.
class MasterBlobs final : public registry::Blobs, public registry::DamageHandler {
 public:
  MasterBlobs(registry::Storage& storage, registry::NameStore& names, Loop& home, Metrics& metrics);

  Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) override;
  void found_damaged(const Digest& digest) override;

  /// Waits until no damaged blob is being put aside.
  Task<void> stop() { return scope_.join(); }

 private:
  Task<void> put_aside(Digest digest);

  registry::Storage& storage_;
  registry::NameStore& names_;
  Loop& home_;
  Counter damaged_;
  Scope scope_;
};

}  // namespace wherry::master
