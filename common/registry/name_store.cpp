#include "common/registry/name_store.h"

#include "common/feed/log.h"
#include "common/registry/tables.h"

namespace wherry::registry {

Error manifest_unknown(const RepositoryName& repository, std::string_view reference) {
  return Error(ErrorKind::kManifestUnknown, "repository {} has no manifest {}", repository.text(), reference);
}
Error blob_unknown(const RepositoryName& repository, const Digest& digest) {
  return Error(ErrorKind::kBlobUnknown, "repository {} has no blob {}", repository.text(), digest.to_string());
}
Error name_unknown(const RepositoryName& repository) {
  return Error(ErrorKind::kNameUnknown, "there is no repository {}", repository.text());
}

Task<Result<StoredManifest>> NameStore::manifest(const RepositoryName& repository, const Reference& reference) {
  if (const Digest* digest = reference.digest(); digest != nullptr) co_return co_await by_digest(repository, *digest);
  auto digest = co_await resolve(repository, *reference.tag());
  if (!digest) co_return digest.error();
  auto found = co_await by_digest(repository, *digest);
  // A tag and its manifest are removed in one transaction, but read in two steps.
  if (!found && found.error().kind() == ErrorKind::kManifestUnknown)
    co_return manifest_unknown(repository, reference.to_string());
  co_return found;
}

Task<Result<std::optional<std::uint64_t>>> NameStore::position() {
  auto head = co_await feed::head(store_);
  if (!head) co_return head.error();
  co_return std::optional<std::uint64_t>(head->position);
}

Task<Result<Digest>> NameStore::resolve(const RepositoryName& repository, const Tag& tag) {
  auto row = co_await store_.get_hot(tables::tag_key(repository, tag.text()));
  if (!row) co_return row.error();
  if (!*row) co_return manifest_unknown(repository, tag.text());
  co_return Digest::from_binary(**row);
}

Task<Result<StoredManifest>> NameStore::by_digest(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await store_.get_hot(tables::manifest_key(repository, digest));
  if (!row) co_return row.error();
  if (!*row) co_return manifest_unknown(repository, digest.to_string());
  const auto manifest = tables::decode_manifest(**row);
  if (!manifest) co_return manifest.error();
  co_return StoredManifest(digest, manifest->media_type, manifest->bytes, std::move(*row));
}

Task<Result<store::BlobRow>> NameStore::member(const RepositoryName& repository, const Digest& digest) {
  auto member = co_await store_.get_hot(tables::member_key(repository, digest));
  if (!member) co_return member.error();
  if (!*member) co_return blob_unknown(repository, digest);
  auto row = co_await store_.get_hot(tables::blob_key(digest));
  if (!row) co_return row.error();
  if (!*row) co_return blob_unknown(repository, digest);
  co_return store::BlobRow::decode(**row);
}

Task<Result<bool>> NameStore::has_repository(const RepositoryName& repository) {
  auto value = co_await store_.get(tables::repository_key(repository));
  if (!value) co_return value.error();
  co_return value->has_value();
}

Task<Result<NamePage>> NameStore::names(std::string prefix, std::string last, std::size_t limit) {
  const std::size_t skip = prefix.size();
  std::string after = last.empty() ? std::string() : prefix + last;
  auto page = co_await store_.scan(kv::ScanRequest(std::move(prefix), std::move(after), limit));
  if (!page) co_return page.error();
  std::vector<std::string> names;
  names.reserve(page->entries.size());
  for (const auto& [key, value] : page->entries) names.push_back(key.substr(skip));
  co_return NamePage(std::move(names), page->more);
}

Task<Result<NamePage>> NameStore::tags(const RepositoryName& repository, std::string last, std::size_t limit) {
  auto known = co_await has_repository(repository);
  if (!known) co_return known.error();
  if (!*known) co_return name_unknown(repository);
  if (limit == 0) co_return NamePage({}, false);
  co_return co_await names(tables::tags_prefix(repository), std::move(last), limit);
}

Task<Result<NamePage>> NameStore::repositories(std::string last, std::size_t limit) {
  if (limit == 0) co_return NamePage({}, false);
  co_return co_await names(tables::repositories_prefix(), std::move(last), limit);
}

Task<Result<std::vector<std::string>>> NameStore::holders(const Digest& digest, std::size_t limit) {
  auto page = co_await names(tables::holders_prefix(digest), {}, limit);
  if (!page) co_return page.error();
  co_return page->names();
}

void put_membership(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest) {
  transaction.put(tables::member_key(repository, digest), {});
  transaction.put(tables::holder_key(digest, repository), {});
}

void erase_membership(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest) {
  transaction.erase(tables::member_key(repository, digest));
  transaction.erase(tables::holder_key(digest, repository));
}

namespace {

std::vector<Digest> all_children(const Manifest& manifest) {
  auto children = manifest.blob_children();
  for (auto& digest : manifest.manifest_children()) children.push_back(digest);
  for (auto& digest : manifest.optional_children()) children.push_back(digest);
  return children;
}

/// Removes the references and the referrer row of a manifest that is stored as `row`.
void erase_links(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                 const tables::ManifestRow& row) {
  const auto manifest = Manifest::parse(row.bytes, row.media_type);
  if (!manifest) return;
  for (const Digest& child : all_children(*manifest))
    transaction.erase(tables::reference_key(child, repository, digest));
  if (manifest->subject()) transaction.erase(tables::referrer_key(repository, manifest->subject()->digest, digest));
}

}  // namespace

Result<bool> put_manifest(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                          const Manifest& manifest, std::string_view bytes) {
  const std::string key = tables::manifest_key(repository, digest);
  auto before = transaction.get(key);
  if (!before) return before.error();
  if (*before) {
    const auto row = tables::decode_manifest(**before);  // one that is damaged is written anew
    if (row && row->media_type != manifest.media_type()) erase_links(transaction, repository, digest, *row);
  }
  transaction.put(key, tables::encode_manifest(manifest.media_type(), bytes));
  for (const Digest& child : all_children(manifest))
    transaction.put(tables::reference_key(child, repository, digest), {});
  if (manifest.subject()) {
    const Descriptor descriptor = manifest.referrer_descriptor(digest, bytes.size());
    transaction.put(tables::referrer_key(repository, manifest.subject()->digest, digest),
                    tables::encode_referrer(manifest.artifact_type(), descriptor.to_json()));
  }
  return !before->has_value();
}

Result<std::vector<std::string>> erase_manifest(kv::Transaction& transaction, const RepositoryName& repository,
                                                const Digest& digest) {
  const std::string key = tables::manifest_key(repository, digest);
  auto value = transaction.get(key);
  if (!value) return value.error();
  if (!*value) return manifest_unknown(repository, digest.to_string());
  auto row = tables::decode_manifest(**value);
  if (!row) return row.error();
  erase_links(transaction, repository, digest, *row);
  const std::string prefix = tables::tagged_prefix(repository, digest);
  std::vector<std::string> tags;
  auto scanned = transaction.scan(prefix, {}, [&](std::string_view tagged, std::string_view) {
    tags.emplace_back(tagged.substr(prefix.size()));
    return true;
  });
  if (!scanned) return scanned.error();
  for (const std::string& tag : tags) {
    transaction.erase(tables::tag_key(repository, tag));
    transaction.erase(tables::tagged_key(repository, digest, tag));
  }
  transaction.erase(key);
  return tags;
}

Result<std::optional<Digest>> erase_tag(kv::Transaction& transaction, const RepositoryName& repository,
                                        std::string_view tag) {
  const std::string key = tables::tag_key(repository, tag);
  auto value = transaction.get(key);
  if (!value) return value.error();
  if (!*value) return std::optional<Digest>();
  auto digest = Digest::from_binary(**value);
  if (!digest) return digest.error();
  transaction.erase(key);
  transaction.erase(tables::tagged_key(repository, *digest, tag));
  return std::optional<Digest>(*digest);
}

Result<std::optional<Digest>> put_tag(kv::Transaction& transaction, const RepositoryName& repository,
                                      std::string_view tag, const Digest& digest) {
  auto before = erase_tag(transaction, repository, tag);
  if (!before) return before;
  transaction.put(tables::tag_key(repository, tag), digest.binary());
  transaction.put(tables::tagged_key(repository, digest, tag), {});
  return before;
}

}  // namespace wherry::registry
