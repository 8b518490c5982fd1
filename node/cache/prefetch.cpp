#include "node/cache/prefetch.h"

#include <algorithm>

#include "common/base/log.h"

namespace wherry::node {

bool platform_matches(const Platform& platform, const std::vector<std::string>& wanted) {
  const std::string any = platform.os + "/" + platform.architecture;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
    return one == any || (!platform.variant.empty() && one == any + "/" + platform.variant);
  });
}

Prefetch::Prefetch(const Upstreams& upstreams, Fills& fills, const std::vector<Loop*>& loops)
    : upstreams_(upstreams), fills_(fills), loops_(loops) {
  for (std::size_t i = 0; i < loops_.size(); ++i) scopes_.push_back(std::make_unique<Scope>());
}

void Prefetch::fetched(const RepositoryName& repository, const registry::StoredManifest& index, const Get& get) {
  const auto remote = upstreams_.remote(repository);
  if (stopping_ || !remote || remote->origin().options().platforms.empty()) return;
  const auto parsed = Manifest::parse(index.bytes(), index.media_type());
  if (!parsed || parsed->kind() != ManifestKind::kIndex) return;
  Scope& scope =
      *scopes_[static_cast<std::size_t>(std::find(loops_.begin(), loops_.end(), &Loop::current()) - loops_.begin())];
  for (const Descriptor& image : parsed->manifests()) {
    if (!image.platform || !platform_matches(*image.platform, remote->origin().options().platforms)) continue;
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
    auto fill = co_await fills_.join(repository, blob);
    if (!fill) co_return;
    if (*fill == nullptr) continue;
    auto done = co_await (*fill)->done();
    if (!done) {
      log::info("a prefetch ends early", {{"repository", repository.text()}, {"error", done.error().to_string()}});
      co_return;
    }
  }
}

Task<void> Prefetch::stop() {
  stopping_ = true;
  Loop& home = Loop::current();
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    co_await loops_[i]->enter();
    co_await scopes_[i]->join();
  }
  co_await home.enter();
}

}  // namespace wherry::node
