// NodeBlobs: blobs as a node answers them: from what it holds, else from the Fill that brings them in.
#pragma once

#include "common/registry/catalog.h"
#include "common/registry/checked_blobs.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"
#include "node/fill/fills.h"
#include "node/upstream/upstream.h"

namespace wherry::node {

/// What a repository is known to hold is served without a word to the parent. A blob that is here on behalf of another
/// repository is served after the parent said that this one holds it too: once. A damaged blob is dropped and fetched
/// anew. What there is no room for is passed on unstored (Relay). What is read does not leave meanwhile.
class NodeBlobs final : public registry::Blobs {
 public:
  NodeBlobs(registry::Storage& storage, CacheSpace& space, registry::NameStore& held, registry::CheckedBlobs& checked,
            Upstream& upstream, Fills& fills, Metrics& metrics);

  Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) override;

 private:
  Task<Result<store::BlobRow>> held_row(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::unique_ptr<http::Body>>> open_filling(const RepositoryName& repository, const Digest& digest);

  registry::Storage& storage_;
  CacheSpace& space_;
  registry::NameStore& held_;
  registry::CheckedBlobs& checked_;
  Upstream& upstream_;
  Fills& fills_;
  Counter hits_;
  Counter misses_;
  Counter relayed_;
};

}  // namespace wherry::node
