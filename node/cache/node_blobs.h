// NodeBlobs: blobs as a node answers them: from what it holds, else from the Fill that brings them in.
#pragma once

#include "common/async/scope.h"
#include "common/registry/catalog.h"
#include "common/registry/name_store.h"
#include "common/registry/stored_body.h"
#include "common/registry/storage.h"
#include "node/fill/fills.h"
#include "node/upstream/upstream.h"

namespace wherry::node {

/// What a repository is known to hold is served without a word to the parent. A blob that is here on behalf of another
/// repository is served after the parent said that this one holds it too: once. A damaged blob is dropped and fetched
/// anew.
class NodeBlobs final : public registry::Blobs, public registry::DamageHandler {
 public:
  NodeBlobs(registry::Storage& storage, registry::NameStore& held, Upstream& upstream, Fills& fills, Loop& home,
            Metrics& metrics);

  Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) override;
  Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) override;
  void found_damaged(const Digest& digest) override;

  Task<void> stop() { return scope_.join(); }

 private:
  Task<Result<store::BlobRow>> held_row(const RepositoryName& repository, const Digest& digest);
  Task<Result<std::unique_ptr<http::Body>>> open_held(const Digest& digest, store::BlobRow row);
  Task<Result<std::unique_ptr<http::Body>>> open_filling(const RepositoryName& repository, const Digest& digest);
  Task<Result<void>> drop(Digest digest);
  Task<void> drop_later(Digest digest);

  registry::Storage& storage_;
  registry::NameStore& held_;
  Upstream& upstream_;
  Fills& fills_;
  Loop& home_;
  Counter hits_;
  Counter misses_;
  Counter damaged_;
  Scope scope_;
};

}  // namespace wherry::node
