// all_manifests(): a repository's manifests out of the pages in which a side lists them.
#pragma once

#include <optional>
#include <set>
#include <utility>

#include "master/replication/sides.h"

namespace wherry::replication {

/// `lister` has `manifests(repository, ManifestQuery)`, as registry::Catalog has. Nothing when there are more than
/// Side::kMaxManifests, or when its pages do not go on.
template <class Lister>
Task<Result<std::optional<std::set<Digest>>>> all_manifests(Lister& lister, const RepositoryName& repository,
                                                            Side::Which which) {
  using Manifests = std::optional<std::set<Digest>>;
  std::set<Digest> all;
  registry::ManifestQuery query;
  query.untagged = which == Side::Which::kUntagged;
  query.limit = registry::kMaxPage;
  while (all.size() <= Side::kMaxManifests) {
    auto page = co_await lister.manifests(repository, query);
    if (!page) co_return page.error();
    all.insert(page->digests().begin(), page->digests().end());
    if (page->last().empty()) co_return Manifests(std::move(all));
    if (page->last() <= query.last) break;
    query.last = page->last();
  }
  co_return Manifests();
}

}  // namespace wherry::replication
