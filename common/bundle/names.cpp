#include "common/bundle/names.h"

#include "common/base/bytes.h"
#include "common/feed/state.h"

namespace wherry::bundle {

/// Null for a name outside the grammar: no client can ask for it.
Names::Repository* Names::in(std::string_view repository) {
  auto name = RepositoryName::parse(repository);
  if (!name) return nullptr;
  const auto [place, is_new] = repositories_.try_emplace(std::move(*name));
  if (is_new) ++count_;
  return &place->second;
}

Result<void> Names::take(std::string_view piece) {
  reader_.feed(piece);
  while (true) {
    auto record = reader_.next();
    if (!record) return record.error();
    if (!*record) return {};
    auto taken = take(**record);
    if (!taken) return taken;
  }
}

Result<void> Names::take(const feed::Record& record) {
  if (record.kind == feed::RecordKind::kEntry) {
    auto taken = take_entry(record.payload);
    if (!taken) return taken;
  } else if (record.kind == feed::RecordKind::kRow) {
    take_row(record.payload);
  } else if (record.kind == feed::RecordKind::kHidden) {
    has_hidden_ = true;
  } else if (record.kind == feed::RecordKind::kHead) {
    auto head = feed::SignedHead::decode(record.payload);
    if (!head) return head.error();
    if (!last_head_ || head->head.position >= last_head_->position) last_head_ = head->head;
  }
  if (count_ > kMost) return Error(ErrorKind::kTooLarge, "more than {} names are too many for one bundle", kMost);
  return {};
}

Result<void> Names::take_entry(std::string_view payload) {
  auto change = feed::Change::decode(payload);
  if (!change) return change.error();
  if (first_entry_ == 0) first_entry_ = change->position();
  Repository* repository = change->repository().empty() ? nullptr : in(change->repository());
  if (repository == nullptr) return {};
  ++count_;
  switch (change->kind()) {
    case feed::ChangeKind::kManifestPut: repository->manifests[*change->digest()] = true; break;
    case feed::ChangeKind::kManifestDeleted: repository->manifests[*change->digest()] = false; break;
    case feed::ChangeKind::kTagSet: repository->tags[change->tag()] = *change->digest(); break;
    case feed::ChangeKind::kTagRemoved: repository->tags[change->tag()] = std::nullopt; break;
    default: --count_; break;
  }
  return {};
}

void Names::take_row(std::string_view payload) {
  const auto key = take_text(payload);
  const auto value = take_text(payload);
  if (!key || !value) return;
  const feed::StateRow row = feed::parse_state_row(*key);
  Repository* repository = row.repository.empty() ? nullptr : in(row.repository);
  if (repository == nullptr) return;
  auto digest = Digest::from_binary(row.tag.empty() ? row.digest : *value);
  if (!digest) return;
  ++count_;
  if (row.tag.empty())
    repository->manifests[*digest] = true;
  else
    repository->tags[std::string(row.tag)] = *digest;
}

void Names::finish() {
  for (auto& [name, repository] : repositories_) {
    for (const auto& [tag, digest] : repository.tags)
      if (digest) repository.manifests.try_emplace(*digest, true);
    for (const auto& [digest, is_there] : repository.manifests)
      if (is_there) there_.insert(digest);
  }
}

}  // namespace wherry::bundle
