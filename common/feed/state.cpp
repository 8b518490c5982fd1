#include "common/feed/state.h"

#include <utility>

#include "common/oci/reference.h"

namespace wherry::feed {
namespace {

constexpr char kRepository = 'r';
constexpr char kTag = 't';
constexpr char kManifest = 'm';
constexpr char kPolicy = 'p';
constexpr char kKey = 'k';
constexpr char kProject = 'j';
constexpr char kProjectDigest = 'd';
constexpr std::size_t kRawKeyBytes = 32;

std::string row_key(char kind, std::string_view rest) {
  std::string key;
  key.reserve(2 + rest.size());
  key.push_back(kStateTable);
  key.push_back(kind);
  return key.append(rest);
}

std::string in_repository(char kind, std::string_view repository, std::string_view rest) {
  std::string key;
  key.reserve(3 + repository.size() + rest.size());
  key.push_back(kStateTable);
  key.push_back(kind);
  key.append(repository).push_back('\0');
  return key.append(rest);
}

/// What is added to a project's digest for a row.
std::string element_of(std::string_view key, std::string_view value) {
  std::string element(key.substr(1));
  element.push_back('\0');
  return element.append(value);
}

/// Whether a row of this form can be the state's: what comes over the wire is checked before it is kept.
bool is_row(std::string_view key, std::string_view value) {
  if (key.size() < 3 || key[0] != kStateTable) return false;
  const std::string_view rest = key.substr(2);
  const auto end = rest.find('\0');
  const std::string_view first = rest.substr(0, end);
  const std::string_view second = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  switch (key[1]) {
    case kRepository: return end == std::string_view::npos && value.empty() && RepositoryName::parse(first);
    case kTag: return RepositoryName::parse(first) && Tag::parse(second) && Digest::from_binary(value);
    case kManifest: return RepositoryName::parse(first) && Digest::from_binary(second) && value.empty();
    case kPolicy: return rest.size() <= Change::kMaxTagBytes && value.size() <= Change::kMaxPayloadBytes;
    case kProject:
      return RepositoryName::parse(rest) && rest.find('/') == std::string_view::npos &&
             value.size() <= Change::kMaxPayloadBytes;
    case kKey: return rest.size() == kRawKeyBytes && value.size() <= Change::kMaxPayloadBytes;
    default: return false;
  }
}

Error not_a_row() { return Error(ErrorKind::kInvalid, "a row of a snapshot is not in its form"); }

}  // namespace

std::string state_repository_key(std::string_view repository) { return row_key(kRepository, repository); }
std::string state_tag_key(std::string_view repository, std::string_view tag) {
  return in_repository(kTag, repository, tag);
}
std::string state_tags_prefix(std::string_view repository) { return in_repository(kTag, repository, {}); }
std::string state_manifest_key(std::string_view repository, const Digest& digest) {
  return in_repository(kManifest, repository, digest.binary());
}
std::string state_digests_prefix() { return row_key(kProjectDigest, {}); }
std::string state_repositories_prefix() { return row_key(kRepository, {}); }
std::string state_policies_prefix() { return row_key(kPolicy, {}); }
std::string state_projects_prefix() { return row_key(kProject, {}); }
std::string state_keys_prefix() { return row_key(kKey, {}); }

StateRow parse_state_row(std::string_view key) {
  StateRow row;
  if (key.size() < 3 || key[0] != kStateTable || (key[1] != kTag && key[1] != kManifest)) return row;
  const std::string_view rest = key.substr(2);
  const auto end = rest.find('\0');
  if (end == std::string_view::npos) return row;
  row.repository = rest.substr(0, end);
  (key[1] == kTag ? row.tag : row.digest) = rest.substr(end + 1);
  return row;
}

std::optional<std::string_view> project_of_row(std::string_view key) {
  if (key.size() < 3 || key[0] != kStateTable) return std::nullopt;
  const std::string_view rest = key.substr(2);
  switch (key[1]) {
    case kRepository:
    case kTag:
    case kManifest: {
      const std::string_view repository = rest.substr(0, rest.find('\0'));
      return repository.substr(0, repository.find('/'));
    }
    case kProject: return rest;
    case kPolicy:
    case kKey: return std::string_view();
    default: return std::nullopt;
  }
}

std::vector<std::string> state_prefixes() {
  return {row_key(kProject, {}), row_key(kKey, {}),        row_key(kManifest, {}),
          row_key(kPolicy, {}),  row_key(kRepository, {}), row_key(kTag, {})};
}

Result<SetDigest*> StateWriter::digest_of(std::string_view project) {
  if (const auto found = digests_.find(project); found != digests_.end()) return &found->second;
  auto row = transaction_.get(row_key(kProjectDigest, project));
  if (!row) return row.error();
  SetDigest digest;
  if (*row) {
    auto loaded = SetDigest::load(**row);
    if (!loaded) return loaded.error();
    digest = *loaded;
  }
  return &digests_.emplace(std::string(project), digest).first->second;
}

Result<std::optional<std::string>> StateWriter::put(std::string_view project, const std::string& key,
                                                    std::string_view value) {
  auto before = transaction_.get(key);
  if (!before) return before;
  if (*before == value) return before;
  auto digest = digest_of(project);
  if (!digest) return digest.error();
  if (*before) (*digest)->remove(element_of(key, **before));
  (*digest)->add(element_of(key, value));
  transaction_.put(key, value);
  return before;
}

Result<std::optional<std::string>> StateWriter::erase(std::string_view project, const std::string& key) {
  auto before = transaction_.get(key);
  if (!before || !*before) return before;
  auto digest = digest_of(project);
  if (!digest) return digest.error();
  (*digest)->remove(element_of(key, **before));
  transaction_.erase(key);
  return before;
}

Result<std::optional<Digest>> StateWriter::apply(const Change& change) {
  Result<std::optional<std::string>> before = std::optional<std::string>();
  const std::string_view project = change.project();
  switch (change.kind()) {
    case ChangeKind::kRepositoryCreated: before = put(project, state_repository_key(change.repository()), {}); break;
    case ChangeKind::kRepositoryRemoved: before = erase(project, state_repository_key(change.repository())); break;
    case ChangeKind::kManifestPut:
      before = put(project, state_manifest_key(change.repository(), *change.digest()), {});
      break;
    case ChangeKind::kManifestDeleted:
      before = erase(project, state_manifest_key(change.repository(), *change.digest()));
      break;
    case ChangeKind::kTagSet:
      before = put(project, state_tag_key(change.repository(), change.tag()), change.digest()->binary());
      break;
    case ChangeKind::kTagRemoved: before = erase(project, state_tag_key(change.repository(), change.tag())); break;
    case ChangeKind::kBlobAdded: break;
    case ChangeKind::kKeyAnnounced:
      before = put(project, row_key(kKey, change.payload().substr(0, kRawKeyBytes)), change.payload());
      break;
    case ChangeKind::kPolicySet: before = put(project, row_key(kPolicy, change.tag()), change.payload()); break;
    case ChangeKind::kPolicyRemoved: before = erase(project, row_key(kPolicy, change.tag())); break;
    case ChangeKind::kProjectSet: before = put(project, row_key(kProject, project), change.payload()); break;
    case ChangeKind::kProjectRemoved: before = erase(project, row_key(kProject, project)); break;
  }
  if (!before) return before.error();
  const bool of_tag = change.kind() == ChangeKind::kTagSet || change.kind() == ChangeKind::kTagRemoved;
  if (!of_tag || !*before) return std::optional<Digest>();
  auto digest = Digest::from_binary(**before);
  if (!digest) return digest.error();
  return std::optional<Digest>(*digest);
}

Result<void> StateWriter::put_row(std::string_view key, std::string_view value) {
  if (!is_row(key, value)) return not_a_row();
  auto before = put(*project_of_row(key), std::string(key), value);
  if (!before) return before.error();
  return {};
}

Result<void> StateWriter::erase_row(std::string_view key) {
  const auto project = project_of_row(key);
  if (!project) return not_a_row();
  auto before = erase(*project, std::string(key));
  if (!before) return before.error();
  return {};
}

Result<void> StateWriter::finish() {
  static const SetDigest empty;
  for (const auto& [project, digest] : digests_) {
    if (digest == empty)
      transaction_.erase(row_key(kProjectDigest, project));
    else
      transaction_.put(row_key(kProjectDigest, project), digest.save());
  }
  return {};
}

Task<Result<ProjectDigests>> project_digests(kv::KeyValue& store) {
  co_return co_await store.transact([](kv::Transaction& transaction) { return project_digests(transaction); });
}

Result<ProjectDigests> project_digests(kv::Transaction& transaction) {
  ProjectDigests digests;
  std::optional<Error> damaged;
  auto scanned = transaction.scan(row_key(kProjectDigest, {}), {}, [&](std::string_view key, std::string_view row) {
    auto loaded = SetDigest::load(row);
    if (!loaded) {
      damaged = loaded.error();
      return false;
    }
    digests.emplace(key.substr(2), loaded->digest());
    return true;
  });
  if (!scanned) return scanned.error();
  if (damaged) return *damaged;
  return digests;
}

}  // namespace wherry::feed
