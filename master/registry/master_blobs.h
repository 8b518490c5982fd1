// The master's blobs: what a repository holds, from files.
#pragma once

#include "common/registry/catalog.h"
#include "common/registry/checked_blobs.h"
#include "common/registry/name_store.h"

namespace wherry::master {

/// Opens blobs of repositories.
class MasterBlobs final : public registry::Blobs {
 public:
  MasterBlobs(registry::NameStore& names, registry::CheckedBlobs& blobs) : names_(names), blobs_(blobs) {}

  Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) override;

 private:
  registry::NameStore& names_;
  registry::CheckedBlobs& blobs_;
};

}  // namespace wherry::master
