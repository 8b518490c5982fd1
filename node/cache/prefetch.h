// Prefetch: images of the platforms that a site runs are brought in as soon as somebody asks for their index.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/async/per_loop.h"
#include "common/oci/manifest.h"
#include "common/oci/platforms.h"
#include "common/registry/catalog.h"
#include "node/fill/fills.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// For upstreams that have `platforms`. Work is bounded and given up when there is too much: it is never waited for by
/// a client, and what it misses comes when it is asked for.
class Prefetch {
 public:
  static constexpr std::size_t kMostImages = 16;  ///< on their way, a loop
  /// Gets a manifest as a client would.
  using Get = std::function<Task<Result<registry::StoredManifest>>(RepositoryName, Digest)>;

  Prefetch(const Upstreams& upstreams, Fills& fills, const std::vector<Loop*>& loops);

  /// An index of that repository was fetched: begins with its platforms' images. Does nothing for other manifests.
  void fetched(const RepositoryName& repository, const registry::StoredManifest& index, const Get& get);
  /// Brings one image in, whole: of an index those of the platforms that are wanted. Errors: of what could not be had.
  Task<Result<void>> bring(RepositoryName repository, Digest digest, PlatformChoice platforms, Get get);
  /// Waits for what is on its way and begins nothing more. Call after Upstreams::cancel() and before all that it uses
  /// stops.
  Task<void> stop();

 private:
  Task<void> bring_quietly(RepositoryName repository, Digest image, Get get);
  Task<Result<void>> bring_blobs(const RepositoryName& repository, const Manifest& manifest);

  const Upstreams& upstreams_;
  Fills& fills_;
  PerLoop<Scope> scopes_;
  std::atomic<bool> stopping_{false};
};

}  // namespace wherry::node
