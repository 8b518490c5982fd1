#include "common/feed/log.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/oci/hasher.h"

namespace wherry::feed {
namespace {

constexpr char kHeadVersion = 1;

std::string entry_key(std::uint64_t position) {
  std::string key(1, kEntryPrefix);
  append_be64(key, position);
  return key;
}

std::string_view head_key() { return {&kHeadKey, 1}; }

std::string encode_head(const Head& head) {
  std::string row(1, kHeadVersion);
  append_be64(row, head.position);
  append_be64(row, head.epoch);
  row += as_text(head.chain);
  return row;
}

ChainHash to_chain(std::string_view bytes) {
  ChainHash chain{};
  std::memcpy(chain.data(), bytes.data(), chain.size());
  return chain;
}

Result<Head> decode_head(const std::optional<std::string>& row) {
  if (!row) return Head();
  std::string_view in = *row;
  if (in.size() != 1 + 8 + 8 + sizeof(ChainHash) || in.front() != kHeadVersion)
    return Error(ErrorKind::kCorrupt, "the head row of the feed is damaged");
  in.remove_prefix(1);
  Head head;
  head.position = take_be64(in).value_or(0);
  head.epoch = take_be64(in).value_or(0);
  head.chain = to_chain(in);
  return head;
}

Error damaged(std::uint64_t position, std::string_view how) {
  return Error(ErrorKind::kCorrupt, "the feed is damaged at position {}: {}", position, how);
}

Result<Entry> decode_entry(std::uint64_t position, std::string_view key, std::string_view row) {
  if (key != entry_key(position)) return damaged(position, "the entry is missing");
  if (row.size() < sizeof(ChainHash)) return damaged(position, "the row is cut short");
  const std::string_view encoded = row.substr(sizeof(ChainHash));
  auto change = Change::decode(encoded);
  if (!change) return damaged(position, "the entry cannot be read").with_cause(std::move(change.error()));
  if (change->position() != position) return damaged(position, "the entry says that it is another");
  return Entry{std::move(*change), std::string(encoded), to_chain(row)};
}

}  // namespace

ChainHash next_chain(const ChainHash& previous, std::string_view encoded) {
  Hasher hasher(DigestAlgorithm::kSha256);
  hasher.update(std::span<const std::byte>(previous));
  hasher.update(encoded);
  const Digest digest = hasher.finish();
  ChainHash chain{};
  std::ranges::copy(digest.raw(), chain.begin());
  return chain;
}

Result<Head> head(kv::Transaction& transaction) {
  const auto row = transaction.get(head_key());
  if (!row) return row.error();
  return decode_head(*row);
}

Result<Head> append(kv::Transaction& transaction, Change change) {
  auto present = head(transaction);
  if (!present) return present;
  change.place(present->position + 1, present->epoch);
  const std::string encoded = change.encode();
  // Nothing is appended that a reader would refuse for ever after.
  if (auto readable = Change::decode(encoded); !readable) return std::move(readable.error());
  const Head next{change.position(), change.epoch(), next_chain(present->chain, encoded)};
  transaction.put(entry_key(next.position), std::string(as_text(next.chain)) + encoded);
  transaction.put(head_key(), encode_head(next));
  return next;
}

Result<void> begin_epoch(kv::Transaction& transaction, std::uint64_t epoch) {
  auto present = head(transaction);
  if (!present) return std::move(present.error());
  if (epoch <= present->epoch)
    return Error(ErrorKind::kInvalid, "the feed is in epoch {} already; a new one must be higher than that",
                 present->epoch);
  present->epoch = epoch;
  transaction.put(head_key(), encode_head(*present));
  return {};
}

Task<Result<Head>> head(kv::KeyValue& store) {
  auto row = co_await store.get(std::string(head_key()));
  if (!row) co_return std::move(row.error());
  co_return decode_head(*row);
}

Task<Result<std::vector<Entry>>> read(kv::KeyValue& store, std::uint64_t from, std::size_t limit) {
  const std::uint64_t first = std::max<std::uint64_t>(from, 1);
  kv::ScanRequest request(std::string(1, kEntryPrefix), entry_key(first - 1), limit);
  auto page = co_await store.scan(std::move(request));
  if (!page) co_return std::move(page.error());
  std::vector<Entry> entries;
  entries.reserve(page->entries.size());
  for (const auto& [key, row] : page->entries) {
    const std::uint64_t position = first + entries.size();
    auto entry = decode_entry(position, key, row);
    if (!entry) co_return std::move(entry.error());
    if (!entries.empty() && next_chain(entries.back().chain, entry->encoded) != entry->chain)
      co_return damaged(position, "it does not follow from the entry before it");
    entries.push_back(std::move(*entry));
  }
  co_return entries;
}

}  // namespace wherry::feed
