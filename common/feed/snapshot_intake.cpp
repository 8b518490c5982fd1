#include "common/feed/snapshot_intake.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/log.h"

namespace wherry::feed {
namespace {

/// Rows of the state.
using Rows = std::vector<std::pair<std::string, std::string>>;

std::string encode_progress(const SignedHead& base, std::string_view last_row) {
  std::string row;
  append_text(row, base.encode());
  append_text(row, last_row);
  return row;
}

}  // namespace

/// What came of one stream.
struct SnapshotIntake::Taking {
  RecordReader reader;
  bool has_base = false;
  Rows rows;                         // not staged yet
  std::optional<Verifier> verifier;  // once all rows are there
  std::vector<Batch> batches;        // not applied yet
  std::optional<SignedHead> last;
  ProjectDigests signed_digests;  // at `last`
  std::uint64_t of = 0;           // so many of them there are, seen or not
};

Error unbelievable_snapshot(std::string_view how) {
  return Error(ErrorKind::kInvalid, "the snapshot cannot be believed: {}", how);
}

Task<Result<SnapshotIntake::Progress>> SnapshotIntake::progress() {
  auto row = co_await store_.get(staging_key());
  if (!row) co_return row.error();
  Progress progress;
  if (!*row) co_return progress;
  std::string_view in = **row;
  const auto base = take_text(in);
  const auto last_row = take_text(in);
  if (!base || !last_row) co_return progress;
  auto head = SignedHead::decode(*base);
  if (!head) co_return progress;
  progress.base = std::move(*head);
  progress.last_row = *last_row;
  co_return progress;
}

Task<Result<SignedHead>> SnapshotIntake::take(const NextPiece& next, Progress& progress, const Admit& admit) {
  auto taken = co_await take_records(next, progress, admit);
  if (taken || taken.error().kind() != ErrorKind::kInvalid) co_return taken;
  auto dropped = co_await drop();
  if (!dropped) log::warn("what was staged of a snapshot could not be dropped", {{"why", dropped.error().to_string()}});
  co_return taken;
}

Task<Result<SignedHead>> SnapshotIntake::take_records(const NextPiece& next, Progress& progress, const Admit& admit) {
  Taking taking;
  while (true) {
    Task<Result<Buffer>> coming = next();
    auto piece = co_await std::move(coming);
    const bool more = piece && !piece->empty();
    Result<void> taken;
    if (more) {
      taking.reader.feed(as_text(piece->bytes()));
      piece->clear();
      taken = take_some(taking, progress, admit);
      if (!taken) co_return taken.error();
    }
    // Whatever ends the stream: who goes on needs not to be sent again what came.
    if (!more || taking.verifier || taking.rows.size() >= kRowsAtOnce) taken = co_await stage_rows(taking, progress);
    if (taken) taken = co_await apply_entries(taking);
    if (!taken) co_return taken.error();
    if (!piece) co_return piece.error();
    if (!more) break;
  }
  if (!taking.last || !taking.reader.at_boundary())
    co_return Error(ErrorKind::kUpstream, "the snapshot ended before its end");
  auto proven = co_await prove(taking);
  if (!proven) co_return proven.error();
  co_return *taking.last;
}

Result<void> SnapshotIntake::take_some(Taking& taking, Progress& progress, const Admit& admit) {
  while (true) {
    auto record = taking.reader.next();
    if (!record) return record.error();
    if (!*record) return {};
    auto taken = take_one(taking, **record, progress, admit);
    if (!taken) return taken;
  }
}

Result<void> SnapshotIntake::take_one(Taking& taking, const Record& record, Progress& progress, const Admit& admit) {
  if (!taking.has_base) return take_before_rows(taking, record, progress, admit);
  if (taking.verifier) return take_after_rows(taking, record);
  if (record.kind == RecordKind::kRow) return take_row(taking, record.payload);
  if (record.kind != RecordKind::kRowsEnd) return unbelievable_snapshot("its records are out of order");
  taking.verifier.emplace(progress.base->head, keys_, false);
  return {};
}

Result<void> SnapshotIntake::take_before_rows(Taking& taking, const Record& record, Progress& progress,
                                              const Admit& admit) {
  if (record.kind == RecordKind::kKey) {
    auto key = KeyRecord::decode(record.payload);
    if (!key) return key.error();
    keys_.admit(*key, first_contact_);
    return {};
  }
  if (record.kind != RecordKind::kHead) return unbelievable_snapshot("it does not begin with a signed head");
  auto head = SignedHead::decode(record.payload);
  if (!head) return head.error();
  auto right = head->verify(keys_);
  if (!right) return unbelievable_snapshot(right.error().message());
  if (progress.base && head->head != progress.base->head)
    return unbelievable_snapshot("it does not go on from where it was");
  auto admitted = admit(head->head);
  if (!admitted) return admitted;
  if (!progress.base) progress.base = std::move(*head);
  taking.has_base = true;
  return {};
}

Result<void> SnapshotIntake::take_row(Taking& taking, std::string_view payload) {
  const auto key = take_text(payload);
  const auto value = take_text(payload);
  if (!key || !value || !payload.empty()) return unbelievable_snapshot("a row is not in its form");
  taking.rows.emplace_back(*key, *value);
  return {};
}

Result<void> SnapshotIntake::take_after_rows(Taking& taking, const Record& record) {
  if (record.kind == RecordKind::kProject) return take_project(taking, record.payload);
  if (!taking.signed_digests.empty()) return unbelievable_snapshot("its records are out of order");
  auto batch = taking.verifier->take(record);
  if (!batch) return batch.error();
  if (!*batch) return {};
  taking.last = (*batch)->head;
  taking.batches.push_back(std::move(**batch));
  return {};
}

Result<void> SnapshotIntake::take_project(Taking& taking, std::string_view payload) {
  auto project = SignedProject::decode(payload);
  if (!project) return project.error();
  auto right = project->verify(keys_);
  if (!right) return unbelievable_snapshot(right.error().message());
  if (!taking.last || project->head != taking.last->head)
    return unbelievable_snapshot("a project's digest is of another position");
  if (!taking.signed_digests.empty() && project->of != taking.of)
    return unbelievable_snapshot("its projects are not of one moment");
  taking.of = project->of;
  if (!taking.signed_digests.emplace(std::move(project->project), project->digest).second)
    return unbelievable_snapshot("a project is in it twice");
  return {};
}

Task<Result<void>> SnapshotIntake::stage_rows(Taking& taking, Progress& progress) {
  if (taking.rows.empty()) co_return Result<void>();
  const Rows rows = std::exchange(taking.rows, {});
  progress.last_row = rows.back().first;
  co_return co_await store_.transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        StagedTransaction staged(transaction);
        StateWriter state(staged);
        for (const auto& [key, value] : rows) {
          auto put = state.put_row(key, value);
          if (!put) return put;
        }
        transaction.put(staging_key(), encode_progress(*progress.base, progress.last_row));
        return state.finish();
      },
      kv::Durability::kLazy);
}

Task<Result<void>> SnapshotIntake::apply_entries(Taking& taking) {
  if (taking.batches.empty()) co_return Result<void>();
  const std::vector<Batch> batches = std::exchange(taking.batches, {});
  co_return co_await store_.transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        StagedTransaction staged(transaction);
        StateWriter state(staged);
        for (const Batch& batch : batches)
          for (const Entry& entry : batch.entries) {
            if (!entry.change()) continue;
            auto applied = state.apply(*entry.change());
            if (!applied) return applied.error();
          }
        return state.finish();
      },
      kv::Durability::kLazy);
}

Task<Result<void>> SnapshotIntake::prove(const Taking& taking) {
  auto staged_digests = co_await store_.transact([](kv::Transaction& transaction) {
    StagedTransaction staged(transaction);
    return project_digests(staged);
  });
  if (!staged_digests) co_return staged_digests.error();
  // Keys are of no project: a state without one is none.
  if (!taking.signed_digests.contains("")) co_return unbelievable_snapshot("what is of no project is not in it");
  if (sees_all_ && taking.signed_digests.size() != taking.of)
    co_return unbelievable_snapshot(fmt::format("it has {} of {} projects", taking.signed_digests.size(), taking.of));
  if (*staged_digests == taking.signed_digests) co_return Result<void>();
  for (const auto& [project, digest] : *staged_digests)
    if (const auto found = taking.signed_digests.find(project); found == taking.signed_digests.end())
      co_return unbelievable_snapshot("it has names of a project that the master did not sign for");
  for (const auto& [project, digest] : taking.signed_digests)
    if (const auto found = staged_digests->find(project); found == staged_digests->end() || found->second != digest)
      co_return unbelievable_snapshot(fmt::format("the names of {} are not those that the master signed",
                                                  project.empty() ? "no project" : project));
  co_return Result<void>();
}

Task<Result<void>> SnapshotIntake::drop() {
  const std::string prefix(1, kStagedTable);
  for (bool more = true; more;) {
    auto page = co_await store_.scan(kv::ScanRequest(prefix, {}, kRowsAtOnce));
    if (!page) co_return page.error();
    more = page->more;
    auto dropped = co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
      for (const auto& [key, value] : page->entries) transaction.erase(key);
      transaction.erase(staging_key());
      return {};
    });
    if (!dropped) co_return dropped;
  }
  co_return Result<void>();
}

}  // namespace wherry::feed
