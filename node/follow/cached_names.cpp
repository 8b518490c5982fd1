#include "node/follow/cached_names.h"

#include "common/registry/name_store.h"
#include "common/registry/tables.h"
#include "node/follow/answered_ahead.h"

namespace wherry::node {

namespace tables = registry::tables;

namespace {

Result<void> forget_tag(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                        std::string_view tag) {
  auto erased = registry::erase_tag(transaction, repository, tag);
  if (!erased) return erased.error();
  if (!*erased) return {};
  transaction.erase(tables::validated_key(repository, tag));
  space.untagged(repository, **erased);
  return {};
}

}  // namespace

Result<void> cached_tag_removed(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                                std::string_view tag, std::uint64_t position) {
  auto is_behind = AnsweredAhead::is_behind(transaction, repository, tag, position);
  if (!is_behind) return is_behind.error();
  return *is_behind ? Result<void>() : forget_tag(transaction, space, repository, tag);
}

/// A tag is cached while its manifest is: then the eviction's ledger knows that somebody may ask for it by name.
Result<void> cached_tag_moved(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                              std::string_view tag, const Digest& digest, std::uint64_t position) {
  auto is_behind = AnsweredAhead::is_behind(transaction, repository, tag, position);
  if (!is_behind) return is_behind.error();
  if (*is_behind) return {};
  auto held = transaction.exists(tables::manifest_key(repository, digest));
  if (!held) return held.error();
  if (!*held) return forget_tag(transaction, space, repository, tag);
  auto before = registry::put_tag(transaction, repository, tag, digest);
  if (!before) return before.error();
  if (*before && **before != digest) space.untagged(repository, **before);
  return {};
}

Result<void> cached_manifest_deleted(kv::Transaction& transaction, CacheSpace& space, const RepositoryName& repository,
                                     const Digest& digest) {
  auto tags = registry::erase_manifest(transaction, repository, digest);
  if (!tags && tags.error().kind() == ErrorKind::kManifestUnknown) return {};
  if (!tags) return tags.error();
  for (const std::string& tag : *tags) transaction.erase(tables::validated_key(repository, tag));
  space.untagged(repository, digest);
  return {};
}

namespace {

/// Its row stays while manifests of it do (one that was asked for ahead of the feed): it says that something is cached.
Result<void> cached_repository_removed(kv::Transaction& transaction, const RepositoryName& repository) {
  bool holds = false;
  auto looked = transaction.scan(tables::manifests_prefix(repository), {}, [&](std::string_view, std::string_view) {
    holds = true;
    return false;
  });
  if (!looked) return looked;
  if (!holds) transaction.erase(tables::repository_key(repository));
  return {};
}

}  // namespace

Result<bool> CachedRepositories::holds(std::string_view repository) {
  if (const auto known = known_.find(repository); known != known_.end()) return known->second;
  const auto name = RepositoryName::parse(repository);
  if (!name) return false;  // no client can ask for it
  auto there = transaction_.exists(tables::repository_key(*name));
  if (there) known_.emplace(repository, *there);
  return there;
}

Result<void> apply_to_cache(kv::Transaction& transaction, CacheSpace& space, const feed::Change& change,
                            std::uint64_t position) {
  if (change.repository().empty()) return {};
  const auto repository = RepositoryName::parse(change.repository());
  if (!repository) return {};  // no client can ask for it
  switch (change.kind()) {
    case feed::ChangeKind::kTagSet:
      return cached_tag_moved(transaction, space, *repository, change.tag(), *change.digest(), position);
    case feed::ChangeKind::kTagRemoved:
      return cached_tag_removed(transaction, space, *repository, change.tag(), position);
    case feed::ChangeKind::kManifestDeleted:
      return cached_manifest_deleted(transaction, space, *repository, *change.digest());
    case feed::ChangeKind::kRepositoryRemoved: return cached_repository_removed(transaction, *repository);
    default: return {};
  }
}

}  // namespace wherry::node
