#include "master/registry/changes.h"

#include "common/base/bytes.h"
#include "common/base/json.h"
#include "common/feed/log.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"

namespace wherry::master {
namespace {

namespace tables = registry::tables;

/// Every blob that the manifest needs is held by this repository. Errors: kManifestBlobUnknown naming those that are
/// not.
Result<void> check_children(kv::Transaction& transaction, const RepositoryName& repository, const Manifest& manifest) {
  std::vector<std::string> missing;
  for (const Digest& child : manifest.blob_children()) {
    auto member = transaction.exists(tables::member_key(repository, child));
    if (!member) return member.error();
    auto stored = transaction.exists(tables::blob_key(child));
    if (!stored) return stored.error();
    if (!*member || !*stored) missing.push_back(child.to_string());
  }
  if (missing.empty()) return {};
  std::string list;
  std::string detail;
  for (const std::string& digest : missing) {
    list += (list.empty() ? "" : ", ") + digest;
    detail += (detail.empty() ? "{\"missing\":[" : ",") + json_string(digest);
  }
  return Error(ErrorKind::kManifestBlobUnknown, "push these blobs to {} first: {}", repository.text(), list)
      .with_detail(detail + "]}");
}

}  // namespace

Result<void> ensure_repository(kv::Transaction& transaction, const RepositoryName& repository, WallTime now) {
  const std::string key = tables::repository_key(repository);
  auto there = transaction.exists(key);
  if (!there) return there.error();
  if (*there) return {};
  std::string made;
  append_be64(made, static_cast<std::uint64_t>(to_millis(now)));
  transaction.put(key, made);
  return feed::append(transaction, feed::Change::repository_created(repository.text(), now));
}

Result<void> record_blob(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                         const store::BlobRow& row, std::string_view session_id, WallTime now) {
  auto made = ensure_repository(transaction, repository, now);
  if (!made) return made;
  transaction.put(tables::blob_key(digest), row.encode());
  registry::put_membership(transaction, repository, digest);
  if (!session_id.empty()) transaction.erase(tables::upload_key(session_id));
  return {};
}

Result<bool> mount_blob(kv::Transaction& transaction, const RepositoryName& source, const RepositoryName& repository,
                        const Digest& digest, WallTime now) {
  for (const std::string& key : {tables::member_key(source, digest), tables::blob_key(digest)}) {
    auto there = transaction.exists(key);
    if (!there) return there.error();
    if (!*there) return false;
  }
  auto made = ensure_repository(transaction, repository, now);
  if (!made) return made.error();
  registry::put_membership(transaction, repository, digest);
  return true;
}

Result<void> store_manifest(kv::Transaction& transaction, const RepositoryName& repository, const Digest& digest,
                            const Manifest& manifest, std::string_view bytes, const std::vector<std::string>& tags,
                            WallTime now) {
  auto complete = check_children(transaction, repository, manifest);
  if (!complete) return complete;
  auto made = ensure_repository(transaction, repository, now);
  if (!made) return made;
  auto is_new = registry::put_manifest(transaction, repository, digest, manifest, bytes);
  if (!is_new) return is_new.error();
  feed::Appender appender(transaction);
  if (*is_new) appender.append(feed::Change::manifest_put(repository.text(), digest, now));
  for (const std::string& tag : tags) {
    auto before = registry::put_tag(transaction, repository, tag, digest);
    if (!before) return before.error();
    if (*before != digest) appender.append(feed::Change::tag_set(repository.text(), tag, digest, now));
  }
  auto appended = appender.finish();
  if (!appended) return appended.error();
  return {};
}

Result<void> remove_reference(kv::Transaction& transaction, const RepositoryName& repository,
                              const Reference& reference, WallTime now) {
  std::vector<std::string> tags;
  if (const Digest* digest = reference.digest(); digest != nullptr) {
    auto untagged = registry::erase_manifest(transaction, repository, *digest);
    if (!untagged) return untagged.error();
    tags = std::move(*untagged);
  } else {
    auto named = registry::erase_tag(transaction, repository, reference.tag()->text());
    if (!named) return named.error();
    if (!*named) return registry::manifest_unknown(repository, reference.to_string());
    tags.push_back(reference.tag()->text());
  }
  feed::Appender appender(transaction);
  for (const std::string& tag : tags) appender.append(feed::Change::tag_removed(repository.text(), tag, now));
  if (const Digest* digest = reference.digest(); digest != nullptr)
    appender.append(feed::Change::manifest_deleted(repository.text(), *digest, now));
  auto appended = appender.finish();
  if (!appended) return appended.error();
  return {};
}

}  // namespace wherry::master
