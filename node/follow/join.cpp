#include "node/follow/join.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/feed/feed_service.h"
#include "node/follow/cached_names.h"
#include "node/follow/follow_rows.h"

namespace wherry::node {
namespace {

Error unbelievable(std::string_view how) {
  return Error(ErrorKind::kInvalid, "the parent's snapshot cannot be believed: {}", how);
}

std::string encode_progress(const feed::SignedHead& base, std::string_view last_row) {
  std::string row;
  append_text(row, base.encode());
  append_text(row, last_row);
  return row;
}

}  // namespace

Task<Result<Join::Progress>> Join::progress() {
  auto row = co_await storage_.names().get(rows::staging_key());
  if (!row) co_return row.error();
  Progress progress;
  if (!*row) co_return progress;
  std::string_view in = **row;
  const auto base = take_text(in);
  const auto last_row = take_text(in);
  if (!base || !last_row) co_return progress;
  auto head = feed::SignedHead::decode(*base);
  if (!head) co_return progress;
  progress.base = std::move(*head);
  progress.last_row = *last_row;
  co_return progress;
}

Task<Result<feed::SignedHead>> Join::take(const Open& open, const feed::Head& present, Because because) {
  auto begun = co_await progress();
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
    auto dropped = co_await drop_staged();
    if (!dropped) co_return dropped.error();
    co_return Error(ErrorKind::kUpstream, "the snapshot has to begin anew: the parent has compacted its log meanwhile");
  }
  if (status != 200) co_return Error(ErrorKind::kUpstream, "the parent's snapshot: status {}", status);
  auto taken = co_await take_records(**stream, std::move(*begun), present, because);
  if (!taken && taken.error().kind() == ErrorKind::kInvalid) {
    auto dropped = co_await drop_staged();
    if (!dropped)
      log::warn("what was staged of a snapshot could not be dropped", {{"why", dropped.error().to_string()}});
  }
  co_return taken;
}

Result<void> Join::take_base(std::string_view payload, Progress& progress, const feed::Head& present, Because because) {
  auto head = feed::SignedHead::decode(payload);
  if (!head) return head.error();
  auto right = head->verify(keys_);
  if (!right) return unbelievable(right.error().message());
  if (progress.base) {
    if (head->head != progress.base->head) return unbelievable("it does not go on from where it was");
    return {};
  }
  const feed::Head& now = head->head;
  const bool goes_on = because == Because::kCompacted && now.epoch == present.epoch && now.position >= present.position;
  if (now.epoch <= present.epoch && !goes_on)
    return unbelievable(fmt::format(
        "it is of epoch {} and position {}, and not what follows epoch {} and position {}; if the master was "
        "restored from a backup, raise its epoch (wherry-master epoch)",
        now.epoch, now.position, present.epoch, present.position));
  progress.base = std::move(*head);
  return {};
}

Task<Result<feed::SignedHead>> Join::take_records(http::Transfer& stream, Progress progress, const feed::Head& present,
                                                  Because because) {
  feed::RecordReader reader;
  std::optional<feed::Verifier> verifier;  // once all rows are there
  std::optional<feed::SignedHead> last;
  std::vector<feed::SignedProject> projects;
  Rows waiting;
  bool has_base = false;
  while (true) {
    auto piece = co_await stream.next();
    if (!piece) {
      auto staged = co_await stage(std::move(waiting), progress);
      if (!staged) co_return staged.error();
      co_return piece.error();
    }
    if (piece->empty()) break;
    reader.feed(as_text(piece->bytes()));
    piece->clear();
    std::vector<feed::Batch> batches;
    while (true) {
      auto record = reader.next();
      if (!record) co_return record.error();
      if (!*record) break;
      std::string_view payload = (*record)->payload;
      const feed::RecordKind kind = (*record)->kind;
      if (!has_base && kind == feed::RecordKind::kKey) {
        auto key = feed::KeyRecord::decode(payload);
        if (!key) co_return key.error();
        keys_.admit(*key, first_contact_);
      } else if (!has_base) {
        if (kind != feed::RecordKind::kHead) co_return unbelievable("it does not begin with a signed head");
        auto taken = take_base(payload, progress, present, because);
        if (!taken) co_return taken.error();
        has_base = true;
      } else if (!verifier && kind == feed::RecordKind::kRow) {
        const auto key = take_text(payload);
        const auto value = take_text(payload);
        if (!key || !value || !payload.empty()) co_return unbelievable("a row is not in its form");
        waiting.emplace_back(*key, *value);
      } else if (!verifier && kind == feed::RecordKind::kRowsEnd) {
        verifier.emplace(progress.base->head, keys_, false);
      } else if (verifier && kind == feed::RecordKind::kProject) {
        auto project = feed::SignedProject::decode(payload);
        if (!project) co_return project.error();
        projects.push_back(std::move(*project));
      } else if (verifier && projects.empty()) {
        auto batch = verifier->take(**record);
        if (!batch) co_return batch.error();
        if (!*batch) continue;
        last = (*batch)->head;
        batches.push_back(std::move(**batch));
      } else {
        co_return unbelievable("its records are out of order");
      }
    }
    if (waiting.size() >= kRowsAtOnce || verifier) {
      auto staged = co_await stage(std::exchange(waiting, {}), progress);
      if (!staged) co_return staged.error();
    }
    if (batches.empty()) continue;
    auto applied = co_await apply_staged(std::move(batches));
    if (!applied) co_return applied.error();
  }
  if (!last || !reader.at_boundary()) {
    auto staged = co_await stage(std::move(waiting), progress);
    if (!staged) co_return staged.error();
    co_return Error(ErrorKind::kUpstream, "the parent's snapshot ended before its end");
  }
  auto proven = co_await prove(projects, last->head);
  if (!proven) co_return proven.error();
  co_return *last;
}

Task<Result<void>> Join::stage(Rows rows, Progress& progress) {
  if (rows.empty() || !progress.base) co_return Result<void>();
  progress.last_row = rows.back().first;
  co_return co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        feed::StagedTransaction staged(transaction);
        feed::StateWriter state(staged);
        for (const auto& [key, value] : rows) {
          auto put = state.put_row(key, value);
          if (!put) return put;
        }
        transaction.put(rows::staging_key(), encode_progress(*progress.base, progress.last_row));
        return state.finish();
      },
      kv::Durability::kLazy);
}

Task<Result<void>> Join::apply_staged(std::vector<feed::Batch> batches) {
  co_return co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        feed::StagedTransaction staged(transaction);
        feed::StateWriter state(staged);
        for (const feed::Batch& batch : batches)
          for (const feed::Entry& entry : batch.entries) {
            if (!entry.change()) continue;
            auto applied = state.apply(*entry.change());
            if (!applied) return applied.error();
          }
        return state.finish();
      },
      kv::Durability::kLazy);
}

Task<Result<void>> Join::prove(const std::vector<feed::SignedProject>& projects, const feed::Head& head) {
  auto digests = co_await storage_.names().transact([](kv::Transaction& transaction) {
    feed::StagedTransaction staged(transaction);
    return feed::project_digests(staged);
  });
  if (!digests) co_return digests.error();
  std::size_t proven = 0;
  for (const feed::SignedProject& project : projects) {
    auto right = project.verify(keys_);
    if (!right) co_return unbelievable(right.error().message());
    if (project.head != head) co_return unbelievable("a project's digest is of another position");
    const auto found = std::ranges::find(*digests, project.project, &std::pair<std::string, feed::Hash>::first);
    if (found == digests->end() || found->second != project.digest)
      co_return unbelievable(fmt::format("the names of {} are not those that the master signed",
                                         project.project.empty() ? "no project" : project.project));
    ++proven;
  }
  if (proven != digests->size()) co_return unbelievable("it has names of a project that the master did not sign for");
  co_return Result<void>();
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

Task<Result<void>> Join::drop_staged() {
  const Step erase = [](kv::Transaction& transaction, feed::StateWriter&, const std::string& key,
                        const std::string&) -> Result<void> {
    transaction.erase(key);
    transaction.erase(rows::staging_key());
    return {};
  };
  auto dropped = co_await for_each(std::string(1, feed::kStagedTable), erase);
  if (!dropped) co_return dropped;
  co_return co_await storage_.names().transact([](kv::Transaction& transaction) -> Result<void> {
    transaction.erase(rows::staging_key());
    return {};
  });
}

Task<Result<std::optional<feed::SignedHead>>> Join::unfinished() {
  auto row = co_await storage_.names().get(rows::swapping_key());
  if (!row) co_return row.error();
  if (!*row) co_return std::optional<feed::SignedHead>();
  auto head = feed::SignedHead::decode(**row);
  if (!head) co_return Error(ErrorKind::kCorrupt, "the row of a snapshot that is put in place is damaged");
  co_return std::optional<feed::SignedHead>(std::move(*head));
}

Result<void> Join::take_away(kv::Transaction& transaction, feed::StateWriter& state, const std::string& key) {
  if (!feed::project_of_row(key)) return {};  // a project's digest: it goes with its rows
  auto stays = transaction.exists(feed::staged_key(key));
  if (!stays) return stays.error();
  if (*stays) return {};
  auto erased = state.erase_row(key);
  if (!erased) return erased;
  const feed::StateRow row = feed::parse_state_row(key);
  const auto repository = RepositoryName::parse(row.repository);
  Result<void> cached;
  if (repository && !row.tag.empty()) cached = cached_tag_removed(transaction, space_, *repository, row.tag);
  if (repository && !row.digest.empty())
    if (const auto digest = Digest::from_binary(row.digest))
      cached = cached_manifest_deleted(transaction, space_, *repository, *digest);
  return cached;
}

Result<void> Join::put_in_place(kv::Transaction& transaction, feed::StateWriter& state, const std::string& staged,
                                const std::string& value) {
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
  return cached_tag_moved(transaction, space_, *repository, row.tag, *digest);
}

Task<Result<void>> Join::put_marker(std::string key, std::string value) {
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(key, value);
    return {};
  });
}

Task<Result<void>> Join::swap(const feed::SignedHead& head) {
  auto begun = co_await put_marker(rows::swapping_key(), head.encode());
  if (!begun) co_return begun;
  const Step erase = [](kv::Transaction& transaction, feed::StateWriter&, const std::string& key,
                        const std::string&) -> Result<void> {
    transaction.erase(key);
    return {};
  };
  auto done = co_await for_each(std::string(1, feed::kEntryPrefix), erase);
  if (done) done = co_await for_each(rows::signed_heads_prefix(), erase);
  const Step away = [this](kv::Transaction& transaction, feed::StateWriter& state, const std::string& key,
                           const std::string&) { return take_away(transaction, state, key); };
  auto all_gone = co_await storage_.names().get(rows::placing_key());
  if (!all_gone) co_return all_gone.error();
  // What has been put in place is not staged any more, so that this must not be done once that has begun.
  if (done && !*all_gone) {
    done = co_await for_each(std::string(1, feed::kStateTable), away);
    if (done) done = co_await put_marker(rows::placing_key(), {});
  }
  const Step in_place = [this](kv::Transaction& transaction, feed::StateWriter& state, const std::string& key,
                               const std::string& value) { return put_in_place(transaction, state, key, value); };
  if (done) done = co_await for_each(std::string(1, feed::kStagedTable), in_place);
  if (!done) co_return done;
  const feed::PublicKey* signer = keys_.find(head.key_id);
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    feed::begin_after(transaction, head.head);
    transaction.put(rows::signed_head_key(head.head.position), head.encode());
    transaction.put(rows::complete_key(), {});
    if (signer != nullptr) transaction.put(rows::pinned_key(), signer->raw());
    transaction.erase(rows::staging_key());
    transaction.erase(rows::swapping_key());
    transaction.erase(rows::placing_key());
    return {};
  });
}

}  // namespace wherry::node
