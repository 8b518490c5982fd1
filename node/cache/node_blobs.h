// NodeBlobs: blobs as a node answers them: from what it holds, else from the Fill that brings them in.
#pragma once

#include "common/registry/catalog.h"
#include "common/registry/checked_blobs.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"
#include "node/fill/fills.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// What a repository is known to hold is served without a word to its upstream. A blob that is here on behalf of
/// another repository is served after the upstream said that this one holds it too: once. A damaged blob is dropped and
/// fetched anew. What there is no room for is passed on unstored (Relay). What is read does not leave meanwhile.
class NodeBlobs final : public registry::Blobs {
 public:
  NodeBlobs(registry::Storage& storage, CacheSpace& space, registry::NameStore& held, registry::CheckedBlobs& checked,
            const Upstreams& upstreams, Fills& fills, Metrics& metrics);

  Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) override;

 private:
  /// The row of a blob that is held and that this repository may see. Errors: kBlobUnknown when it is not held; those
  /// of the upstream when it has to be asked.
  Task<Result<store::BlobRow>> held_row(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::unique_ptr<http::Body>>> open_held(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::unique_ptr<http::Body>>> open_filling(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::unique_ptr<http::Body>>> relay(const RepositoryName& repository, const Digest& digest);

  registry::Storage& storage_;
  CacheSpace& space_;
  registry::NameStore& held_;
  registry::CheckedBlobs& checked_;
  const Upstreams& upstreams_;
  Fills& fills_;
  Counter hits_;
  Counter misses_;
  Counter relayed_;
};

}  // namespace wherry::node
