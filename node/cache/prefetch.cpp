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
    scope.spawn(bring_quietly(repository, image.digest, get));
  }
}

Task<void> Prefetch::bring_quietly(RepositoryName repository, Digest image, Get get) {
  co_await Loop::current().yield();
  auto brought = co_await bring(repository, image, PlatformChoice::all(), get);
  if (!brought)
    log::info("a prefetch ends early", {{"repository", repository.text()}, {"error", brought.error().to_string()}});
}

Task<Result<void>> Prefetch::bring(RepositoryName repository, Digest digest, PlatformChoice platforms, Get get) {
  Task<Result<registry::StoredManifest>> getting = get(repository, digest);
  auto manifest = co_await std::move(getting);
  if (!manifest) co_return manifest.error();
  const auto parsed = Manifest::parse(manifest->bytes(), manifest->media_type());
  if (!parsed) co_return parsed.error();
  if (parsed->kind() != ManifestKind::kIndex) co_return co_await bring_blobs(repository, *parsed);
  for (const Descriptor& image : parsed->manifests()) {
    if (stopping_) co_return Error(ErrorKind::kCancelled, "this node ends");
    if (image.platform && !platforms.wants(image)) continue;
    Task<Result<registry::StoredManifest>> getting_image = get(repository, image.digest);
    auto child = co_await std::move(getting_image);
    if (!child) co_return child.error();
    const auto read = Manifest::parse(child->bytes(), child->media_type());
    if (!read) co_return read.error();
    auto brought = co_await bring_blobs(repository, *read);  // an index within an index comes when it is asked for
    if (!brought) co_return brought;
  }
  co_return Result<void>();
}

Task<Result<void>> Prefetch::bring_blobs(const RepositoryName& repository, const Manifest& manifest) {
  for (const Digest& blob : manifest.blob_children()) {
    auto joined = co_await fills_.join(repository, blob);
    if (!joined) co_return joined.error();
    if (joined->fill == nullptr) continue;
    const std::shared_ptr<store::Fill> fill = joined->fill;
    auto done = co_await fill->done();
    if (!done) co_return done;
  }
  co_return Result<void>();
}

Task<void> Prefetch::stop() {
  stopping_ = true;
  co_await join_all(scopes_);
}

}  // namespace wherry::node
