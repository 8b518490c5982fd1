#include "common/feed/snapshot_intake.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/log.h"

namespace wherry::feed {
namespace {

std::string encode_progress(const SignedHead& base, std::string_view last_row) {
  std::string row;
  append_text(row, base.encode());
  append_text(row, last_row);
  return row;
}

}  // namespace

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

Result<void> SnapshotIntake::take_base(std::string_view payload, Progress& progress, const Admit& admit) {
  auto head = SignedHead::decode(payload);
  if (!head) return head.error();
  auto right = head->verify(keys_);
  if (!right) return unbelievable_snapshot(right.error().message());
  if (progress.base) {
    if (head->head != progress.base->head) return unbelievable_snapshot("it does not go on from where it was");
    return {};
  }
  auto admitted = admit(head->head);
  if (!admitted) return admitted;
  progress.base = std::move(*head);
  return {};
}

Task<Result<SignedHead>> SnapshotIntake::take_records(const NextPiece& next, Progress& progress, const Admit& admit) {
  RecordReader reader;
  std::optional<Verifier> verifier;  // once all rows are there
  std::optional<SignedHead> last;
  std::vector<SignedProject> projects;
  Rows waiting;
  bool has_base = false;
  while (true) {
    Task<Result<Buffer>> coming = next();
    auto piece = co_await std::move(coming);
    if (!piece) {
      auto staged = co_await stage(std::move(waiting), progress);
      if (!staged) co_return staged.error();
      co_return piece.error();
    }
    if (piece->empty()) break;
    reader.feed(as_text(piece->bytes()));
    piece->clear();
    std::vector<Batch> batches;
    while (true) {
      auto record = reader.next();
      if (!record) co_return record.error();
      if (!*record) break;
      std::string_view payload = (*record)->payload;
      const RecordKind kind = (*record)->kind;
      if (!has_base && kind == RecordKind::kKey) {
        auto key = KeyRecord::decode(payload);
        if (!key) co_return key.error();
        keys_.admit(*key, first_contact_);
      } else if (!has_base) {
        if (kind != RecordKind::kHead) co_return unbelievable_snapshot("it does not begin with a signed head");
        auto taken = take_base(payload, progress, admit);
        if (!taken) co_return taken.error();
        has_base = true;
      } else if (!verifier && kind == RecordKind::kRow) {
        const auto key = take_text(payload);
        const auto value = take_text(payload);
        if (!key || !value || !payload.empty()) co_return unbelievable_snapshot("a row is not in its form");
        waiting.emplace_back(*key, *value);
      } else if (!verifier && kind == RecordKind::kRowsEnd) {
        verifier.emplace(progress.base->head, keys_, false);
      } else if (verifier && kind == RecordKind::kProject) {
        auto project = SignedProject::decode(payload);
        if (!project) co_return project.error();
        projects.push_back(std::move(*project));
      } else if (verifier && projects.empty()) {
        auto batch = verifier->take(**record);
        if (!batch) co_return batch.error();
        if (!*batch) continue;
        last = (*batch)->head;
        batches.push_back(std::move(**batch));
      } else {
        co_return unbelievable_snapshot("its records are out of order");
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
    co_return Error(ErrorKind::kUpstream, "the snapshot ended before its end");
  }
  auto proven = co_await prove(projects, last->head);
  if (!proven) co_return proven.error();
  co_return *last;
}

Task<Result<void>> SnapshotIntake::stage(Rows rows, Progress& progress) {
  if (rows.empty() || !progress.base) co_return Result<void>();
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

Task<Result<void>> SnapshotIntake::apply_staged(std::vector<Batch> batches) {
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

Task<Result<void>> SnapshotIntake::prove(const std::vector<SignedProject>& projects, const Head& head) {
  auto digests = co_await store_.transact([](kv::Transaction& transaction) {
    StagedTransaction staged(transaction);
    return project_digests(staged);
  });
  if (!digests) co_return digests.error();
  for (const SignedProject& project : projects) {
    auto right = project.verify(keys_);
    if (!right) co_return unbelievable_snapshot(right.error().message());
    if (project.head != head) co_return unbelievable_snapshot("a project's digest is of another position");
    const auto found = std::ranges::find(*digests, project.project, &std::pair<std::string, Hash>::first);
    if (found == digests->end() || found->second != project.digest)
      co_return unbelievable_snapshot(fmt::format("the names of {} are not those that the master signed",
                                                  project.project.empty() ? "no project" : project.project));
    digests->erase(found);
  }
  // The keys are of no project: a state without one is none.
  const bool has_own = std::ranges::any_of(projects, [](const SignedProject& each) { return each.project.empty(); });
  if (!has_own) co_return unbelievable_snapshot("what is of no project is not in it");
  if (!digests->empty()) co_return unbelievable_snapshot("it has names of a project that the master did not sign for");
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
