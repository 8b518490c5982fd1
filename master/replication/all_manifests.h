// What a side's list of a repository's manifests says: all_manifests() out of its pages, and of one of them.
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

/// Whether a manifest is there and nothing leads to it, by the same list.
template <class Lister>
Task<Result<bool>> is_listed_as_untagged(Lister& lister, const RepositoryName& repository, const Digest& digest) {
  registry::ManifestQuery query;
  query.untagged = true;
  query.only = digest;
  query.limit = 1;
  auto page = co_await lister.manifests(repository, query);
  if (!page) co_return page.error();
  co_return !page->digests().empty();
}

}  // namespace wherry::replication
