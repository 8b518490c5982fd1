// NameStore::manifests: a page of the manifests that a repository has.
#include "common/registry/name_store.h"
#include "common/registry/tables.h"

namespace wherry::registry {

/// Whether a tag or another manifest of the repository leads to a manifest.
Task<Result<bool>> NameStore::is_led_to(const RepositoryName& repository, const Digest& digest) {
  auto tagged = co_await store_.scan(kv::ScanRequest(tables::tagged_prefix(repository, digest), {}, 1));
  if (!tagged) co_return tagged.error();
  if (!tagged->entries.empty()) co_return true;
  auto parents = co_await store_.scan(kv::ScanRequest(tables::references_prefix(digest, repository), {}, 1));
  if (!parents) co_return parents.error();
  co_return !parents->entries.empty();
}

Task<Result<ManifestPage>> NameStore::manifests(const RepositoryName& repository, const ManifestQuery& query) {
  std::vector<Digest> digests;
  if (query.only) {
    auto row = co_await store_.get(tables::manifest_key(repository, *query.only));
    if (!row) co_return row.error();
    bool wanted = row->has_value();
    if (wanted && query.untagged) {
      auto led_to = co_await is_led_to(repository, *query.only);
      if (!led_to) co_return led_to.error();
      wanted = !*led_to;
    }
    if (wanted) digests.push_back(*query.only);
    co_return ManifestPage(std::move(digests), {});
  }
  if (query.limit == 0) co_return ManifestPage({}, {});
  const std::string prefix = tables::manifests_prefix(repository);
  std::string after;
  if (!query.last.empty()) {
    auto last = Digest::parse(query.last);
    if (!last) co_return Error(ErrorKind::kInvalid, "last={} is not from the Link of an earlier page", query.last);
    after = tables::manifest_key(repository, *last);
  }
  auto page = co_await store_.scan(kv::ScanRequest(prefix, after, std::min(query.limit, kMaxPage)));
  if (!page) co_return page.error();
  std::string last;
  for (const auto& [key, value] : page->entries) {
    std::string_view rest = std::string_view(key).substr(prefix.size());
    auto digest = tables::take_digest(rest);
    if (!digest) co_return digest.error();
    last = digest->to_string();
    if (query.untagged) {
      auto led_to = co_await is_led_to(repository, *digest);
      if (!led_to) co_return led_to.error();
      if (*led_to) continue;
    }
    digests.push_back(*digest);
  }
  if (!page->more) last.clear();
  co_return ManifestPage(std::move(digests), std::move(last));
}

}  // namespace wherry::registry
