// NodeCatalog: names as a node answers them: digests from what it holds, tags after asking its parent.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/async/scope.h"
#include "common/observe/metrics.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"
#include "node/upstream/upstream.h"

namespace wherry::node {

/// A digest that is held is answered without a word to the parent. A tag is asked for by HEAD each time, until this
/// node follows the feed; with the parent down the last known answer is given with a warning. "Deleted" forgets the
/// tag, "refused" is passed on, "down" does neither. Any number of clients that want the same unheld manifest cost one
/// fetch.
class NodeCatalog final : public registry::Catalog {
 public:
  NodeCatalog(registry::Storage& storage, CacheSpace& space, registry::NameStore& held, Upstream& upstream,
              std::vector<Loop*> loops, Metrics& metrics);
  ~NodeCatalog() override;

  Task<Result<registry::StoredManifest>> manifest(const RepositoryName& repository,
                                                  const Reference& reference) override;
  Task<Result<registry::NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit) override;
  Task<Result<registry::NamePage>> repositories(std::string last, std::size_t limit) override;
  Task<Result<registry::ReferrerPage>> referrers(const RepositoryName& repository, const Digest& digest,
                                                 std::string artifact_type, std::string last,
                                                 std::size_t limit) override;
  /// Waits for fetches that go on although their client left.
  Task<void> stop();

 private:
  struct Flight;
  struct Part;
  using Answer = Result<registry::StoredManifest>;

  Task<Answer> by_tag(const RepositoryName& repository, const Tag& tag);
  Task<Answer> by_digest(const RepositoryName& repository, const Digest& digest);
  Task<Answer> last_known(const RepositoryName& repository, const Tag& tag, Error why);
  /// Fetches and keeps a manifest, once for all who want it now.
  Task<Answer> fetch(const RepositoryName& repository, const Reference& reference);
  Task<void> fly(Part& part, std::string key, std::shared_ptr<Flight> flight);
  Task<Result<void>> keep(const RepositoryName& repository, const registry::StoredManifest& manifest);
  Task<Result<void>> keep_tag(const RepositoryName& repository, const Tag& tag, const Digest& digest);

  registry::Storage& storage_;
  CacheSpace& space_;
  registry::NameStore& held_;
  Upstream& upstream_;
  std::vector<Loop*> loops_;
  std::vector<std::unique_ptr<Part>> parts_;
  Counter hits_;
  Counter misses_;
  Counter stale_;
};

}  // namespace wherry::node
