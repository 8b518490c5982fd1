// Importer: a bundle that was carried here takes the place of what the parent's feed and blobs would have brought.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/bundle/content.h"
#include "common/feed/verifier.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"

namespace wherry::node {

/// Of a node that does not run. Nothing that it serves changes before all of the bundle was looked at: signatures,
/// chain and digests; then come its blobs and manifests, then its names with their position. After a crash between the
/// two the same import goes on. On one loop.
class Importer {
 public:
  /// `key`: 64 hexadecimal digits of the key to trust; empty: the one that is pinned, or that of the first contact.
  Importer(registry::Storage& storage, CacheSpace& space, Pool& disk, std::string key)
      : storage_(storage), space_(space), disk_(disk), key_(std::move(key)) {}

  /// Gives a line that says what is new. Errors: kInvalid for a bundle that is not believed or does not fit here,
  /// kNotFound, kNoSpace, kIo.
  Task<Result<std::string>> run(const std::string& file);

 private:
  Task<Result<void>> finish_unfinished();
  Task<Result<void>> import(bundle::BundleReader& bundle, bundle::Content& content);
  /// Verifies the names; whether they are newer than those here is known after that.
  Task<Result<void>> take_names(bundle::BundleReader& bundle);
  Task<Result<void>> take_snapshot(bundle::BundleReader& bundle);
  Task<Result<void>> take_feed(bundle::BundleReader& bundle);
  Task<Result<void>> check_history(const feed::Head& head);
  Task<Result<bool>> is_wanted(const RepositoryName& repository, const Digest& manifest);
  Task<Result<void>> keep_content(bundle::Content& content);
  Task<Result<void>> put_names(bundle::BundleReader& bundle);
  Task<Result<void>> apply(std::vector<feed::Batch> batches);
  Task<Result<void>> drop_staged();

  registry::Storage& storage_;
  CacheSpace& space_;
  Pool& disk_;
  const std::string key_;
  feed::TrustedKeys keys_;
  feed::Head at_;                             // where this node is
  std::optional<feed::SignedHead> snapshot_;  // of a whole bundle: the head that its names are of
  bool newer_ = false;                        // its names go beyond those here
};

}  // namespace wherry::node
