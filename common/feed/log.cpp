#include "common/feed/log.h"

#include <algorithm>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/random.h"

namespace wherry::feed {
namespace {

constexpr char kHeadVersion = 1;
constexpr std::size_t kEntriesATurn = 256;  // that a loop decodes before others have their turn: about a millisecond
constexpr char kHidden = '\0';              // no entry begins so: its first byte is a version

std::string entry_key(std::uint64_t position) {
  std::string key(1, kEntryPrefix);
  append_be64(key, position);
  return key;
}

std::string_view head_key() { return {&kHeadKey, 1}; }
std::string floor_key() {
  return std::string(1, kHeadKey) + 'f';
}  // -> be64(the first position that is kept), chain before it

/// Where the log begins.
struct Floor {
  std::uint64_t first = 1;
  Hash chain{};  // before it
};

std::string encode_floor(const Floor& floor) {
  std::string row;
  append_be64(row, floor.first);
  return row.append(as_text(floor.chain));
}

Result<Floor> decode_floor(const std::optional<std::string>& row) {
  if (!row) return Floor();
  std::string_view in = *row;
  const auto first = take_be64(in);
  if (!first || in.size() != sizeof(Hash))
    return Error(ErrorKind::kCorrupt, "the row that says where the feed's log begins is damaged");
  return Floor{*first, to_hash(in)};
}

std::string encode_head(const Head& head) {
  std::string row(1, kHeadVersion);
  append_be64(row, head.position);
  append_be64(row, head.epoch);
  row += as_text(head.chain);
  return row;
}

Result<Head> decode_head(const std::optional<std::string>& row) {
  if (!row) return Head();
  std::string_view in = *row;
  if (in.size() != 1 + 8 + 8 + sizeof(Hash) || in.front() != kHeadVersion)
    return Error(ErrorKind::kCorrupt, "the head row of the feed is damaged");
  in.remove_prefix(1);
  Head head;
  head.position = take_be64(in).value_or(0);
  head.epoch = take_be64(in).value_or(0);
  head.chain = to_hash(in);
  return head;
}

Error damaged(std::uint64_t position, std::string_view how) {
  return Error(ErrorKind::kCorrupt, "the feed is damaged at position {}: {}", position, how);
}

std::string encode_entry(const Entry& entry) {
  std::string row(as_text(entry.chain()));
  if (entry.change()) return row.append(entry.encoded());
  row.push_back(kHidden);
  return row.append(as_text(entry.hash()));
}

Result<Entry> decode_entry(std::uint64_t position, std::string_view row) {
  if (row.size() <= sizeof(Hash)) return damaged(position, "the row is cut short");
  const Hash chain = to_hash(row);
  row.remove_prefix(sizeof(Hash));
  if (row.front() == kHidden) {
    if (row.size() != 1 + sizeof(Hash)) return damaged(position, "the row has a wrong length");
    return Entry(position, to_hash(row.substr(1)), chain);
  }
  auto change = Change::decode(row);
  if (!change) return damaged(position, "the entry cannot be read").with_cause(std::move(change.error()));
  if (change->position() != position) return damaged(position, "the entry says that it is another");
  return Entry(std::move(*change), std::string(row), hash_of(row), chain);
}

/// The position that a key of the log names.
std::uint64_t position_of(std::string_view key) {
  key.remove_prefix(1);
  return take_be64(key).value_or(0);
}

}  // namespace

Result<Head> head(kv::Transaction& transaction) {
  const auto row = transaction.get(head_key());
  if (!row) return row.error();
  return decode_head(*row);
}

namespace {

void put_head(kv::Transaction& transaction, const Head& head) { transaction.put(head_key(), encode_head(head)); }

}  // namespace

void begin_after(kv::Transaction& transaction, const Head& head) {
  put_head(transaction, head);
  transaction.put(floor_key(), encode_floor(Floor{head.position + 1, head.chain}));
}

Result<Stretch> compact(kv::Transaction& transaction, std::uint64_t keep_from, std::size_t most) {
  auto row = transaction.get(floor_key());
  if (!row) return row.error();
  auto floor = decode_floor(*row);
  if (!floor) return floor.error();
  const std::uint64_t first = floor->first;
  const std::uint64_t end = std::min<std::uint64_t>(keep_from, first + most);
  if (end <= first) return Stretch();
  auto last = transaction.get(entry_key(end - 1));
  if (!last) return last.error();
  if (!*last || (*last)->size() <= sizeof(Hash)) return damaged(end - 1, "the entry is missing");
  for (std::uint64_t position = first; position < end; ++position) transaction.erase(entry_key(position));
  transaction.put(floor_key(), encode_floor(Floor{end, to_hash(**last)}));
  return Stretch{first, end};
}

bool Appender::begin() {
  if (error_) return false;
  if (head_) return true;
  auto present = head(transaction_);
  if (present)
    head_ = *present;
  else
    error_ = std::move(present.error());
  return head_.has_value();
}

void Appender::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void Appender::append(Change change) {
  if (!begin()) return;
  Change::Salt salt{};
  fill_random(salt);
  change.place(head_->position + 1, head_->epoch, salt);
  std::string encoded = change.encode();
  // Nothing is appended that a reader would refuse for ever after.
  if (auto readable = Change::decode(encoded); !readable) return fail(std::move(readable.error()));
  const Hash hash = hash_of(encoded);
  const Hash chain = next_chain(head_->chain, hash);
  receive(Entry(std::move(change), std::move(encoded), hash, chain));
}

std::optional<Digest> Appender::receive(const Entry& entry) {
  if (!begin()) return std::nullopt;
  WHERRY_CHECK(entry.position() == head_->position + 1);
  changed_ = true;
  transaction_.put(entry_key(entry.position()), encode_entry(entry));
  head_->position = entry.position();
  head_->chain = entry.chain();
  if (!entry.change()) return std::nullopt;
  auto before = state_.apply(*entry.change());
  if (before) return *before;
  fail(std::move(before.error()));
  return std::nullopt;
}

void Appender::set_epoch(std::uint64_t epoch) {
  if (!begin() || head_->epoch == epoch) return;
  head_->epoch = epoch;
  changed_ = true;
}

Result<Head> Appender::finish() {
  if (!begin()) return *error_;
  if (!changed_) return *head_;
  auto written = state_.finish();
  if (!written) return written.error();
  put_head(transaction_, *head_);
  return *head_;
}

Result<void> append(kv::Transaction& transaction, Change change) {
  Appender appender(transaction);
  appender.append(std::move(change));
  auto appended = appender.finish();
  if (!appended) return std::move(appended.error());
  return {};
}

Result<void> begin_epoch(kv::Transaction& transaction, std::uint64_t epoch) {
  auto present = head(transaction);
  if (!present) return std::move(present.error());
  if (epoch <= present->epoch)
    return Error(ErrorKind::kInvalid, "the feed is in epoch {} already; a new one must be higher than that",
                 present->epoch);
  present->epoch = epoch;
  put_head(transaction, *present);
  return {};
}

Task<Result<Head>> head(kv::KeyValue& store) {
  auto row = co_await store.get(std::string(head_key()));
  if (!row) co_return std::move(row.error());
  co_return decode_head(*row);
}

Task<Result<Entries>> read(kv::KeyValue& store, std::uint64_t from, std::size_t limit) {
  const std::uint64_t first = std::max<std::uint64_t>(from, 1);
  kv::ScanRequest request(std::string(1, kEntryPrefix), entry_key(first - 1), limit);
  auto page = co_await store.scan(std::move(request));
  if (!page) co_return std::move(page.error());
  Entries entries;
  entries.list.reserve(page->entries.size());
  for (const auto& [key, row] : page->entries) {
    if (entries.list.size() % kEntriesATurn == kEntriesATurn - 1) co_await Loop::current().yield();
    const std::uint64_t position = first + entries.list.size();
    if (position_of(key) != position) {
      if (!entries.list.empty()) co_return damaged(position, "the entry is missing");
      break;
    }
    auto entry = decode_entry(position, row);
    if (!entry) co_return std::move(entry.error());
    if (!entries.list.empty() && next_chain(entries.list.back().chain(), entry->hash()) != entry->chain())
      co_return damaged(position, "it does not follow from the entry before it");
    entries.list.push_back(std::move(*entry));
  }
  if (!entries.list.empty()) co_return entries;
  auto floor = co_await store.get(floor_key());
  if (!floor) co_return floor.error();
  auto begins = decode_floor(*floor);
  if (!begins) co_return begins.error();
  entries.compacted = first < begins->first;
  if (!entries.compacted && !page->entries.empty()) co_return damaged(first, "the entry is missing");
  co_return entries;
}

Task<Result<std::optional<Hash>>> chain_at(kv::KeyValue& store, std::uint64_t position) {
  auto row = co_await store.get(entry_key(position));  // none is at 0: there a log that was never compacted begins
  if (!row) co_return row.error();
  if (!*row) {
    auto floor = co_await store.get(floor_key());
    if (!floor) co_return floor.error();
    auto begins = decode_floor(*floor);
    if (!begins) co_return begins.error();
    if (begins->first == position + 1) co_return std::optional<Hash>(begins->chain);
    co_return std::optional<Hash>();
  }
  if ((*row)->size() <= sizeof(Hash)) co_return damaged(position, "the row is cut short");
  co_return std::optional<Hash>(to_hash(**row));
}

}  // namespace wherry::feed
