#include "common/feed/verifier.h"

#include <utility>

namespace wherry::feed {
namespace {

Error refused(std::uint64_t position, std::string_view how) {
  return Error(ErrorKind::kInvalid, "the feed cannot be believed at position {}: {}", position, how);
}

}  // namespace

Result<std::optional<Batch>> Verifier::take(const Record& record) {
  Result<void> taken;
  switch (record.kind) {
    case RecordKind::kKey: taken = take_key(record.payload); break;
    case RecordKind::kEntry: taken = take_entry(record.payload); break;
    case RecordKind::kHidden: taken = take_hidden(record.payload); break;
    case RecordKind::kHead: return take_head(record.payload);
    default: taken = refused(pending_.position, "a record that has no place in a stream");
  }
  if (!taken) return taken.error();
  if (entries_.size() > kMostEntries || bytes_ > kMostBytes)
    return refused(pending_.position, "too many entries without a signed head");
  return std::optional<Batch>();
}

Result<void> Verifier::take_key(std::string_view payload) {
  auto record = KeyRecord::decode(payload);
  if (!record) return record.error();
  keys_.admit(*record, first_contact_);  // who is not vouched for is not trusted, and may sign what it likes
  return {};
}

Result<void> Verifier::take_entry(std::string_view payload) {
  auto change = Change::decode(payload);
  if (!change) return change.error();
  if (change->position() != pending_.position + 1)
    return refused(pending_.position, "the next entry is not the next one");
  if (change->epoch() < pending_.epoch) return refused(pending_.position, "an entry of an epoch that is over");
  if (change->kind() == ChangeKind::kKeyAnnounced) {
    auto known = take_key(change->payload());
    if (!known) return known;
  }
  std::string encoded(payload);
  const Hash hash = hash_of(encoded);
  const Hash chain = next_chain(pending_.chain, hash);
  pending_ = Head{change->position(), change->epoch(), chain};
  bytes_ += encoded.size();
  entries_.emplace_back(std::move(*change), std::move(encoded), hash, chain);
  return {};
}

Result<void> Verifier::take_hidden(std::string_view payload) {
  if (sees_all_) return refused(pending_.position, "the parent hides entries that this node may see");
  if (payload.empty() || payload.size() % sizeof(Hash) != 0 || payload.size() > kMaxHiddenInARecord * sizeof(Hash))
    return refused(pending_.position, "a run of hidden entries is not in its form");
  for (; !payload.empty(); payload.remove_prefix(sizeof(Hash))) {
    const Hash hash = to_hash(payload);
    pending_ = Head{pending_.position + 1, pending_.epoch, next_chain(pending_.chain, hash)};
    bytes_ += sizeof(Hash);
    entries_.emplace_back(pending_.position, hash, pending_.chain);
  }
  return {};
}

Result<std::optional<Batch>> Verifier::take_head(std::string_view payload) {
  auto head = SignedHead::decode(payload);
  if (!head) return head.error();
  auto right = head->verify(keys_);
  if (!right) return refused(pending_.position, "the head of the feed").with_cause(std::move(right.error()));
  const Head& signed_head = head->head;
  if (signed_head.epoch < pending_.epoch) return refused(pending_.position, "it is of an epoch that is over");
  if (signed_head.position > newest_) newest_ = signed_head.position;
  if (signed_head.position != pending_.position) {
    // Between batches a head tells how far the feed, or the parent, has come; it closes nothing.
    if (!entries_.empty()) return refused(pending_.position, "the signed head is of another position");
    parent_is_behind_ = signed_head.position < pending_.position;
    return std::optional<Batch>();
  }
  if (signed_head.chain != pending_.chain)
    return refused(pending_.position, "the entries are not those that the master signed");
  parent_is_behind_ = false;
  pending_.epoch = signed_head.epoch;
  at_ = pending_;
  bytes_ = 0;
  return std::optional<Batch>(Batch{std::exchange(entries_, {}), std::move(*head)});
}

}  // namespace wherry::feed
