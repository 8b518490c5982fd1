#include "common/registry/tables.h"

#include "common/base/bytes.h"

namespace wherry::registry::tables {
namespace {

std::string in_repository(char table, const RepositoryName& repository) {
  std::string key;
  key.reserve(repository.text().size() + 2 + 65);
  key.push_back(table);
  key.append(repository.text());
  key.push_back('\0');
  return key;
}

constexpr char kRowVersion = 1;

Error corrupt(std::string_view what) { return Error(ErrorKind::kCorrupt, "a stored {} is not in its form", what); }

std::string encode_pair(std::string_view first, std::string_view rest) {
  std::string row(1, kRowVersion);
  append_text(row, first);
  row.append(rest);
  return row;
}

std::optional<std::pair<std::string_view, std::string_view>> decode_pair(std::string_view row) {
  if (row.empty() || row[0] != kRowVersion) return std::nullopt;
  row.remove_prefix(1);
  const auto first = take_text(row);
  if (!first) return std::nullopt;
  return std::pair(*first, row);
}

}  // namespace

std::string repositories_prefix() { return "R"; }
std::string repository_key(const RepositoryName& repository) { return "R" + repository.text(); }
std::string tags_prefix() { return "t"; }
std::string manifests_prefix() { return "m"; }
std::string holders_prefix() { return "o"; }
std::string tags_prefix(const RepositoryName& repository) { return in_repository('t', repository); }
std::string tag_key(const RepositoryName& repository, std::string_view tag) {
  return tags_prefix(repository).append(tag);
}
std::string tagged_prefix(const RepositoryName& repository, const Digest& digest) {
  return in_repository('T', repository).append(digest.binary());
}
std::string tagged_key(const RepositoryName& repository, const Digest& digest, std::string_view tag) {
  return tagged_prefix(repository, digest).append(tag);
}
std::string manifests_prefix(const RepositoryName& repository) { return in_repository('m', repository); }
std::string manifest_key(const RepositoryName& repository, const Digest& digest) {
  return manifests_prefix(repository).append(digest.binary());
}
std::string members_prefix(const RepositoryName& repository) { return in_repository('b', repository); }
std::string member_key(const RepositoryName& repository, const Digest& digest) {
  return members_prefix(repository).append(digest.binary());
}
std::string holders_prefix(const Digest& digest) { return "o" + digest.binary(); }
std::string holder_key(const Digest& digest, const RepositoryName& repository) {
  return holders_prefix(digest).append(repository.text());
}
std::string blobs_prefix() { return "B"; }
std::string blob_key(const Digest& digest) { return blobs_prefix().append(digest.binary()); }
std::string references_prefix(const Digest& child, const RepositoryName& repository) {
  std::string key = "p" + child.binary();
  key.append(repository.text()).push_back('\0');
  return key;
}
std::string reference_key(const Digest& child, const RepositoryName& repository, const Digest& parent) {
  return references_prefix(child, repository).append(parent.binary());
}
std::string referrers_prefix(const RepositoryName& repository, const Digest& subject) {
  return in_repository('r', repository).append(subject.binary());
}
std::string referrer_key(const RepositoryName& repository, const Digest& subject, const Digest& referrer) {
  return referrers_prefix(repository, subject).append(referrer.binary());
}
std::string order_prefix(char kind) { return std::string("E") + kind; }
std::string order_key(char kind, std::uint32_t number) {
  std::string key = order_prefix(kind);
  append_be32(key, number);
  return key;
}
std::string validated_key(const RepositoryName& repository, std::string_view tag) {
  return in_repository('v', repository).append(tag);
}
std::string torrent_key(const Digest& digest) { return "w" + digest.binary(); }
std::string scrub_key() { return "S"; }
std::string uploads_prefix() { return "u"; }
std::string upload_key(std::string_view id) { return uploads_prefix().append(id); }

std::string encode_manifest(std::string_view media_type, std::string_view bytes) {
  return encode_pair(media_type, bytes);
}

Result<ManifestRow> decode_manifest(std::string_view row) {
  const auto pair = decode_pair(row);
  if (!pair) return corrupt("manifest");
  return ManifestRow{pair->first, pair->second};
}

std::string encode_referrer(std::string_view artifact_type, std::string_view descriptor) {
  return encode_pair(artifact_type, descriptor);
}

Result<ReferrerRow> decode_referrer(std::string_view row) {
  const auto pair = decode_pair(row);
  if (!pair) return corrupt("referrer");
  return ReferrerRow{pair->first, pair->second};
}

Result<Digest> take_digest(std::string_view& key) {
  const std::size_t length = !key.empty() && key[0] == static_cast<char>(DigestAlgorithm::kSha512) ? 65 : 33;
  if (key.size() < length) return corrupt("key");
  auto digest = Digest::from_binary(key.substr(0, length));
  if (!digest) return corrupt("key");
  key.remove_prefix(length);
  return digest;
}

}  // namespace wherry::registry::tables
