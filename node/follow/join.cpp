#include "node/follow/join.h"

#include "common/base/bytes.h"
#include "common/feed/feed_service.h"
#include "common/feed/snapshot_intake.h"
#include "node/follow/cached_names.h"
#include "node/follow/follow_rows.h"

namespace wherry::node {
Task<Result<feed::SignedHead>> Join::take(const Open& open, const feed::Head& present, Because because) {
  feed::SnapshotIntake intake(storage_.names(), keys_, first_contact_, sees_all_);
  auto begun = co_await intake.progress();
  if (!begun) co_return begun.error();
  std::string target = fmt::format("{}snapshot", feed::FeedService::kPrefix);
  if (begun->base) {
    const feed::Head& base = begun->base->head;
    target += fmt::format("?epoch={}&position={}&chain={}", base.epoch, base.position, to_hex(base.chain));
    if (!begun->last_row.empty()) target += "&after=" + to_hex(as_bytes(begun->last_row));
  }
  Task<Result<std::unique_ptr<http::Transfer>>> opening = open(target);
  auto stream = co_await std::move(opening);
  if (!stream) co_return stream.error();
  const int status = (*stream)->head().status();
  if (status == 410 && begun->base) {
    auto dropped = co_await intake.drop();
    if (!dropped) co_return dropped.error();
    co_return Error(ErrorKind::kUpstream, "the snapshot has to begin anew: the parent has compacted its log meanwhile");
  }
  if (status != 200) co_return Error(ErrorKind::kUpstream, "the parent's snapshot: status {}", status);
  const feed::NextPiece next = [transfer = stream->get()] { return transfer->next(); };
  const feed::SnapshotIntake::Admit admit = [&present, because](const feed::Head& base) -> Result<void> {
    const bool goes_on =
        because != Because::kParted && base.epoch == present.epoch && base.position >= present.position;
    if (base.epoch > present.epoch || goes_on) return {};
    return feed::unbelievable_snapshot(fmt::format(
        "it is of epoch {} and position {}, and not what follows epoch {} and position {}; if the master was "
        "restored from a backup, raise its epoch (wherry-master epoch)",
        base.epoch, base.position, present.epoch, present.position));
  };
  co_return co_await intake.take(next, *begun, admit);
}

Task<Result<void>> Join::for_each(std::string prefix, Step step) {
  std::string after;
  while (true) {
    auto page = co_await storage_.names().scan(kv::ScanRequest(prefix, after, kRowsAtOnce));
    if (!page) co_return page.error();
    if (page->entries.empty()) co_return Result<void>();
    after = page->entries.back().first;
    auto done = co_await storage_.names().transact(
        [&](kv::Transaction& transaction) -> Result<void> {
          feed::StateWriter state(transaction);
          for (const auto& [key, value] : page->entries) {
            auto taken = step(transaction, state, key, value);
            if (!taken) return taken;
          }
          return state.finish();
        },
        kv::Durability::kLazy);
    if (!done || !page->more) co_return done;
  }
}

Task<Result<std::optional<feed::SignedHead>>> Join::unfinished() {
  auto row = co_await storage_.names().get(rows::swapping_key());
  if (!row) co_return row.error();
  if (!*row) co_return std::optional<feed::SignedHead>();
  auto head = feed::SignedHead::decode(**row);
  if (!head) co_return Error(ErrorKind::kCorrupt, "the row of a snapshot that is put in place is damaged");
  co_return std::optional<feed::SignedHead>(std::move(*head));
}

Result<void> Join::take_away(kv::Transaction& transaction, feed::StateWriter& state, const std::string& key,
                             std::uint64_t position) {
  if (!feed::project_of_row(key)) return {};  // a project's digest: it goes with its rows
  auto stays = transaction.exists(feed::staged_key(key));
  if (!stays) return stays.error();
  if (*stays) return {};
  auto erased = state.erase_row(key);
  if (!erased) return erased;
  const feed::StateRow row = feed::parse_state_row(key);
  const auto repository = RepositoryName::parse(row.repository);
  Result<void> cached;
  if (repository && !row.tag.empty()) cached = cached_tag_removed(transaction, space_, *repository, row.tag, position);
  if (repository && !row.digest.empty())
    if (const auto digest = Digest::from_binary(row.digest))
      cached = cached_manifest_deleted(transaction, space_, *repository, *digest);
  return cached;
}

Result<void> Join::put_in_place(kv::Transaction& transaction, feed::StateWriter& state, const std::string& staged,
                                const std::string& value, std::uint64_t position) {
  transaction.erase(staged);
  std::string key = staged;
  key.front() = feed::kStateTable;
  if (!feed::project_of_row(key)) return {};
  auto put = state.put_row(key, value);
  if (!put) return put;
  const feed::StateRow row = feed::parse_state_row(key);
  if (row.tag.empty()) return {};
  const auto repository = RepositoryName::parse(row.repository);
  const auto digest = Digest::from_binary(value);
  if (!repository || !digest) return {};
  return cached_tag_moved(transaction, space_, *repository, row.tag, *digest, position);
}

Task<Result<void>> Join::mark_all_gone() {
  co_return co_await storage_.names().transact([](kv::Transaction& transaction) -> Result<void> {
    transaction.put(rows::placing_key(), {});
    return {};
  });
}

Task<Result<void>> Join::drop() {
  feed::SnapshotIntake intake(storage_.names(), keys_, first_contact_, sees_all_);
  co_return co_await intake.drop();
}

Task<Result<void>> Join::swap(const feed::SignedHead& head, const std::string& view) {
  auto begun = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(rows::swapping_key(), head.encode());
    transaction.put(rows::view_key(), view);
    return {};
  });
  if (!begun) co_return begun;
  co_return co_await resume(head);
}

Task<Result<void>> Join::resume(const feed::SignedHead& head) {
  const Step erase = [](kv::Transaction& transaction, feed::StateWriter&, const std::string& key,
                        const std::string&) -> Result<void> {
    transaction.erase(key);
    return {};
  };
  auto done = co_await for_each(std::string(1, feed::kEntryPrefix), erase);
  if (done) done = co_await for_each(rows::signed_heads_prefix(), erase);
  const std::uint64_t position = head.head.position;
  const Step away = [this, position](kv::Transaction& transaction, feed::StateWriter& state, const std::string& key,
                                     const std::string&) { return take_away(transaction, state, key, position); };
  auto all_gone = co_await storage_.names().get(rows::placing_key());
  if (!all_gone) co_return all_gone.error();
  // What has been put in place is not staged any more, so that this must not be done once that has begun.
  if (done && !*all_gone) {
    done = co_await for_each(std::string(1, feed::kStateTable), away);
    if (done) done = co_await mark_all_gone();
  }
  const Step in_place = [this, position](kv::Transaction& transaction, feed::StateWriter& state, const std::string& key,
                                         const std::string& value) {
    return put_in_place(transaction, state, key, value, position);
  };
  if (done) done = co_await for_each(std::string(1, feed::kStagedTable), in_place);
  if (!done) co_return done;
  const feed::PublicKey* signer = keys_.find(head.key_id);
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    feed::begin_after(transaction, head.head);
    transaction.put(rows::signed_head_key(head.head.position), head.encode());
    transaction.put(rows::complete_key(), {});
    if (signer != nullptr) transaction.put(rows::pinned_key(), signer->raw());
    transaction.erase(feed::staging_key());
    transaction.erase(rows::swapping_key());
    transaction.erase(rows::placing_key());
    return {};
  });
}

}  // namespace wherry::node
