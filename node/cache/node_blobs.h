// NodeBlobs: blobs as a node answers them: from what it holds, else from the Fill that brings them in.
#pragma once

#include "common/async/single_flight.h"
#include "common/registry/catalog.h"
#include "common/registry/checked_blobs.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "node/cache/negatives.h"
#include "node/eviction/cache_space.h"
#include "node/fill/fills.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// What a repository is known to hold is served without a word to its upstream. A blob that is here on behalf of
/// another repository is served after the parent said that this one holds it too: once. A damaged blob is dropped and
/// fetched anew. What there is no room for is passed on unstored (Relay). What is read does not leave meanwhile.
class NodeBlobs final : public registry::Blobs {
 public:
  NodeBlobs(registry::Storage& storage, CacheSpace& space, registry::NameStore& held, registry::CheckedBlobs& checked,
            const Upstreams& upstreams, Negatives& negatives, Fills& fills, const std::vector<Loop*>& loops,
            Metrics& metrics);

  Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) override;

  /// Waits for questions that are on their way.
  Task<void> stop() { return asking_.stop(); }

 private:
  /// What the upstream says of a blob's size; once for all who want it now. Errors: kBlobUnknown and those of Upstream.
  Task<Result<std::uint64_t>> upstream_size(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::uint64_t>> ask_size(RepositoryName repository, Digest digest);
  Task<Result<store::BlobRow>> held_row(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::unique_ptr<http::Body>>> open_filling(const RepositoryName& repository, const Digest& digest);

  registry::Storage& storage_;
  CacheSpace& space_;
  registry::NameStore& held_;
  registry::CheckedBlobs& checked_;
  const Upstreams& upstreams_;
  Negatives& negatives_;
  Fills& fills_;
  SingleFlight<Result<std::uint64_t>> asking_;
  Counter hits_;
  Counter misses_;
  Counter relayed_;
};

}  // namespace wherry::node
