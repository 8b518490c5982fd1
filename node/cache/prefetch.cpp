#include "node/cache/prefetch.h"

#include "common/base/log.h"
#include "common/oci/manifest.h"

namespace wherry::node {

Prefetch::Prefetch(const Upstreams& upstreams, Fills& fills, const std::vector<Loop*>& loops)
    : upstreams_(upstreams), fills_(fills), scopes_(loops) {}

void Prefetch::fetched(const RepositoryName& repository, const registry::StoredManifest& index, const Get& get) {
  const auto remote = upstreams_.remote(repository);
  if (stopping_ || !remote) return;
  const PlatformChoice& platforms = remote->origin().options().platforms;
  if (platforms.empty()) return;
  const auto parsed = Manifest::parse(index.bytes(), index.media_type());
  if (!parsed || parsed->kind() != ManifestKind::kIndex) return;
  Scope& scope = scopes_.here();
  for (const Descriptor& image : parsed->manifests()) {
    if (!image.platform || !platforms.wants(image)) continue;
    if (scope.running() >= kMostImages) return;
    scope.spawn(bring(repository, image.digest, get));
  }
}

Task<void> Prefetch::bring(RepositoryName repository, Digest image, Get get) {
  co_await Loop::current().yield();
  auto manifest = co_await get(repository, image);
  if (!manifest) co_return;
  const auto parsed = Manifest::parse(manifest->bytes(), manifest->media_type());
  if (!parsed) co_return;
  for (const Digest& blob : parsed->blob_children()) {
    auto joined = co_await fills_.join(repository, blob);
    if (!joined) co_return;
    if (joined->fill == nullptr) continue;
    const std::shared_ptr<store::Fill> fill = joined->fill;
    auto done = co_await fill->done();
    if (!done) {
      log::info("a prefetch ends early", {{"repository", repository.text()}, {"error", done.error().to_string()}});
      co_return;
    }
  }
}

Task<void> Prefetch::stop() {
  stopping_ = true;
  co_await join_all(scopes_);
}

}  // namespace wherry::node
