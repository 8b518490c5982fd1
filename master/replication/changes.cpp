#include "master/replication/changes.h"

#include "common/feed/log.h"

namespace wherry::replication {
namespace {

constexpr std::size_t kFeedPage = 1000;

using Take = std::function<void(const feed::Change&)>;

/// Gives the entries after `position` up to `head`, at least; false when the log does not have all of them.
Task<Result<bool>> each_entry(kv::KeyValue& names, std::uint64_t position, std::uint64_t head, Wants wants, Take take) {
  while (position < head) {
    auto entries = co_await feed::read(names, position + 1, kFeedPage);
    // What was there may have been forgotten.
    if (!entries && entries.error().kind() == ErrorKind::kCorrupt) co_return false;
    if (!entries) co_return entries.error();
    if (entries->compacted || entries->list.empty()) co_return false;
    for (const feed::Entry& entry : entries->list) {
      if (!entry.change()) co_return false;
      if (wants(entry.change()->repository())) take(*entry.change());
    }
    position = entries->list.back().position();
  }
  co_return true;
}

}  // namespace

void Changes::take(const feed::Change& change) {
  // What only begins to be there is told of once more by what names it.
  const bool only_begins =
      change.kind() == feed::ChangeKind::kRepositoryCreated || change.kind() == feed::ChangeKind::kBlobAdded;
  if (change.repository().empty() || only_begins) return;
  Touched& touched = repositories[change.repository()];
  if (change.kind() == feed::ChangeKind::kRepositoryRemoved) touched.whole = true;
  if (change.kind() == feed::ChangeKind::kManifestDeleted && change.digest())
    gone.emplace_back(change.repository(), *change.digest());
  if (touched.is_too_much()) return;
  if (!change.tag().empty()) touched.tags.insert(change.tag());
  if (change.kind() == feed::ChangeKind::kManifestPut && change.digest()) touched.manifests.insert(*change.digest());
}

Task<Result<std::optional<Changes>>> changes_here(kv::KeyValue& names, std::uint64_t position, std::uint64_t head,
                                                  Wants wants) {
  Changes changes;
  if (head > position && head - position > kMaxFeedEntries) co_return std::optional<Changes>();
  const Take take = [&changes](const feed::Change& change) { changes.take(change); };
  auto all = co_await each_entry(names, position, head, std::move(wants), take);
  if (!all) co_return all.error();
  if (!*all) co_return std::optional<Changes>();
  co_return std::optional<Changes>(std::move(changes));
}

Task<Result<std::optional<std::map<std::string, std::uint64_t>>>> entries_here(kv::KeyValue& names,
                                                                               std::uint64_t position,
                                                                               std::uint64_t head, Wants wants) {
  std::map<std::string, std::uint64_t> counts;
  const Take take = [&counts](const feed::Change& change) { ++counts[change.repository()]; };
  auto all = co_await each_entry(names, position, head, std::move(wants), take);
  if (!all) co_return all.error();
  if (!*all) co_return std::optional<std::map<std::string, std::uint64_t>>();
  co_return std::optional<std::map<std::string, std::uint64_t>>(std::move(counts));
}

}  // namespace wherry::replication
