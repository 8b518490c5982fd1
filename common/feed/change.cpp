#include "common/feed/change.h"

#include <cstring>

#include "common/base/bytes.h"

namespace wherry::feed {
namespace {

constexpr char kVersion = 1;

/// Which parts a kind has.
struct Parts {
  bool repository;
  bool tag;
  bool digest;
  bool payload;
};

std::optional<Parts> parts_of(std::uint8_t kind) {
  switch (static_cast<ChangeKind>(kind)) {
    case ChangeKind::kRepositoryCreated:
    case ChangeKind::kRepositoryRemoved: return Parts{true, false, false, false};
    case ChangeKind::kManifestPut:
    case ChangeKind::kManifestDeleted:
    case ChangeKind::kBlobAdded: return Parts{true, false, true, false};
    case ChangeKind::kTagSet: return Parts{true, true, true, false};
    case ChangeKind::kTagRemoved: return Parts{true, true, false, false};
    case ChangeKind::kKeyAnnounced: return Parts{false, false, false, true};
    case ChangeKind::kPolicySet: return Parts{false, true, false, true};
    case ChangeKind::kPolicyRemoved: return Parts{false, true, false, false};
    case ChangeKind::kProjectSet: return Parts{true, false, false, true};
    case ChangeKind::kProjectRemoved: return Parts{true, false, false, false};
  }
  return std::nullopt;
}

Error invalid_change(std::string_view how) {
  return Error(ErrorKind::kInvalid, "a feed entry is not in its form: {}", how);
}

}  // namespace

Change Change::repository_created(std::string repository, WallTime time) {
  return Change(ChangeKind::kRepositoryCreated, std::move(repository), time);
}
Change Change::repository_removed(std::string repository, WallTime time) {
  return Change(ChangeKind::kRepositoryRemoved, std::move(repository), time);
}
Change Change::manifest_put(std::string repository, Digest digest, WallTime time) {
  Change change(ChangeKind::kManifestPut, std::move(repository), time);
  change.digest_ = digest;
  return change;
}
Change Change::manifest_deleted(std::string repository, Digest digest, WallTime time) {
  Change change(ChangeKind::kManifestDeleted, std::move(repository), time);
  change.digest_ = digest;
  return change;
}
Change Change::tag_set(std::string repository, std::string tag, Digest digest, WallTime time) {
  Change change(ChangeKind::kTagSet, std::move(repository), time);
  change.tag_ = std::move(tag);
  change.digest_ = digest;
  return change;
}
Change Change::tag_removed(std::string repository, std::string tag, WallTime time) {
  Change change(ChangeKind::kTagRemoved, std::move(repository), time);
  change.tag_ = std::move(tag);
  return change;
}
Change Change::blob_added(std::string repository, Digest digest, WallTime time) {
  Change change(ChangeKind::kBlobAdded, std::move(repository), time);
  change.digest_ = digest;
  return change;
}
Change Change::key_announced(std::string record, WallTime time) {
  Change change(ChangeKind::kKeyAnnounced, {}, time);
  change.payload_ = std::move(record);
  return change;
}
Change Change::policy_set(std::string name, std::string json, WallTime time) {
  Change change(ChangeKind::kPolicySet, {}, time);
  change.tag_ = std::move(name);
  change.payload_ = std::move(json);
  return change;
}
Change Change::policy_removed(std::string name, WallTime time) {
  Change change(ChangeKind::kPolicyRemoved, {}, time);
  change.tag_ = std::move(name);
  return change;
}
Change Change::project_set(std::string project, std::string json, WallTime time) {
  Change change(ChangeKind::kProjectSet, std::move(project), time);
  change.payload_ = std::move(json);
  return change;
}
Change Change::project_removed(std::string project, WallTime time) {
  return Change(ChangeKind::kProjectRemoved, std::move(project), time);
}

std::string Change::encode() const {
  std::string encoded;
  encoded.reserve(128 + repository_.size() + tag_.size() + payload_.size());
  encoded.append({kVersion, static_cast<char>(kind_)});
  append_be64(encoded, position_);
  append_be64(encoded, epoch_);
  append_be64(encoded, static_cast<std::uint64_t>(to_millis(time_)));
  encoded += as_text(salt_);
  append_text(encoded, repository_);
  append_text(encoded, tag_);
  append_text(encoded, digest_ ? digest_->binary() : std::string());
  append_text(encoded, payload_);
  return encoded;
}

Result<Change> Change::decode(std::string_view encoded) {
  if (encoded.size() < 2 || encoded.front() != kVersion) return invalid_change("its version is not known");
  const auto kind = static_cast<std::uint8_t>(encoded[1]);
  const auto parts = parts_of(kind);
  if (!parts) return invalid_change("its kind is not known");
  encoded.remove_prefix(2);

  const auto position = take_be64(encoded);
  const auto epoch = take_be64(encoded);
  const auto millis = take_be64(encoded);
  Salt salt{};
  if (encoded.size() < salt.size()) return invalid_change("it is cut short");
  std::memcpy(salt.data(), encoded.data(), salt.size());
  encoded.remove_prefix(salt.size());
  const auto repository = take_text(encoded);
  const auto tag = take_text(encoded);
  const auto digest = take_text(encoded);
  const auto payload = take_text(encoded);
  if (!position || !epoch || !millis || !repository || !tag || !digest || !payload)
    return invalid_change("it is cut short");
  if (!encoded.empty()) return invalid_change("bytes follow it");
  if (*position == 0 || *epoch == 0) return invalid_change("positions and epochs are counted from 1");
  if (repository->empty() == parts->repository || repository->size() > kMaxRepositoryBytes)
    return invalid_change("the repository's length");
  if (tag->empty() == parts->tag || tag->size() > kMaxTagBytes) return invalid_change("the tag's length");
  if (digest->empty() == parts->digest) return invalid_change("the digest's presence");
  if (payload->empty() == parts->payload || payload->size() > kMaxPayloadBytes)
    return invalid_change("the payload's length");

  Change change(static_cast<ChangeKind>(kind), std::string(*repository),
                from_millis(static_cast<std::int64_t>(*millis)));
  change.place(*position, *epoch, salt);
  change.tag_ = *tag;
  change.payload_ = *payload;
  if (parts->digest) {
    auto read = Digest::from_binary(*digest);
    if (!read) return invalid_change("the digest").with_cause(std::move(read.error()));
    change.digest_ = *read;
  }
  return change;
}

}  // namespace wherry::feed
