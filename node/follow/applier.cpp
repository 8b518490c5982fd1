#include "node/follow/applier.h"

#include <algorithm>
#include <string>
#include <utility>

#include "node/follow/batches.h"
#include "node/follow/follow_rows.h"

namespace wherry::node {

Task<Result<void>> Applier::load() {
  auto present = co_await feed::head(storage_.names());
  if (!present) co_return present.error();
  at_ = *present;
  auto complete = co_await storage_.names().get(rows::complete_key());
  if (!complete) co_return complete.error();
  complete_ = complete->has_value();
  auto row = co_await storage_.names().get(rows::signed_head_key(at_.position));
  if (!row) co_return row.error();
  if (!*row) co_return Result<void>();
  auto head = feed::SignedHead::decode(**row);
  if (!head) co_return Error(ErrorKind::kCorrupt, "the row of the feed's last signed head is damaged");
  last_ = std::move(*head);
  co_return Result<void>();
}

Task<Result<void>> Applier::take(feed::Batch batch, std::uint64_t newest) {
  if (!outcome_) co_return outcome_;
  newest_ = newest;
  gathered_entries_ += batch.entries.size();
  gathered_.push_back(std::move(batch));
  if (scope_.running() == 0) scope_.spawn(work());
  while (outcome_ && gathered_entries_ >= kMostEntries) co_await taken_.wait();
  co_return outcome_;
}

Task<Result<void>> Applier::drain() {
  co_await scope_.join();
  gathered_.clear();
  gathered_entries_ = 0;
  co_return std::exchange(outcome_, Result<void>());
}

Task<void> Applier::work() {
  while (outcome_ && !gathered_.empty()) {
    const std::vector<feed::Batch> batches = std::exchange(gathered_, {});
    gathered_entries_ = 0;
    taken_.wake_all();
    outcome_ = co_await apply(batches);
  }
  taken_.wake_all();
  if (!outcome_ && failed_) failed_();
}

Task<Result<void>> Applier::apply(const std::vector<feed::Batch>& batches) {
  const feed::SignedHead& head = batches.back().head;
  const bool complete = complete_ || head.head.position >= newest_;
  const bool has_entries =
      std::ranges::any_of(batches, [](const feed::Batch& batch) { return !batch.entries.empty(); });
  // A copy: keys that the stream announces meanwhile move the others.
  const feed::PublicKey* signer = last_ ? nullptr : keys_.find(head.key_id);
  const std::string to_pin = signer == nullptr ? std::string() : signer->raw();
  const auto durability = complete && has_entries ? kv::Durability::kSynced : kv::Durability::kLazy;
  auto applied = co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<feed::Head> {
        auto end = apply_batches(transaction, space_, batches);
        if (!end) return end;
        if (complete && !complete_) transaction.put(rows::complete_key(), {});
        if (!to_pin.empty()) transaction.put(rows::pinned_key(), to_pin);
        return end;
      },
      durability);
  if (!applied) co_return applied.error();
  at_ = *applied;
  last_ = head;
  const bool was_complete = std::exchange(complete_, complete);
  applied_(batches, was_complete);
  co_return co_await compact();
}

Task<Result<void>> Applier::compact() {
  if (at_.position <= kKeptEntries) co_return Result<void>();
  const std::uint64_t keep_from = at_.position - kKeptEntries + 1;
  if (keep_from < compacted_to_ + kCompactedAtOnce) co_return Result<void>();
  compacted_to_ = keep_from;
  co_return co_await storage_.names().transact(
      [keep_from](kv::Transaction& transaction) -> Result<void> {
        auto gone = feed::compact(transaction, keep_from, 2 * kCompactedAtOnce);
        if (!gone) return gone.error();
        for (std::uint64_t position = gone->first; position < gone->end; ++position)
          transaction.erase(rows::signed_head_key(position));
        return {};
      },
      kv::Durability::kLazy);
}

}  // namespace wherry::node
