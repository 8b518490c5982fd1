#include "common/feed/key_records.h"

#include <algorithm>
#include <vector>

#include "common/feed/record.h"
#include "common/feed/signature.h"
#include "common/feed/state.h"

namespace wherry::feed {

Task<Result<std::string>> key_records(kv::KeyValue& store) {
  auto page = co_await store.scan(kv::ScanRequest(state_keys_prefix(), {}, TrustedKeys::kMost));
  if (!page) co_return page.error();
  std::vector<KeyRecord> left;
  for (const auto& [key, row] : page->entries) {
    auto record = KeyRecord::decode(row);
    if (!record) co_return Error(ErrorKind::kCorrupt, "the row of a key of the feed is damaged");
    left.push_back(std::move(*record));
  }
  std::string out;
  std::vector<std::uint64_t> sent = {0};
  for (bool moved = true; moved;) {
    moved = std::erase_if(left, [&](const KeyRecord& record) {
              if (std::ranges::find(sent, record.signer_id) == sent.end()) return false;
              append_record(out, RecordKind::kKey, record.encode());
              if (auto key = PublicKey::from_raw(record.raw)) sent.push_back(key->id());
              return true;
            }) > 0;
  }
  co_return out;
}

Task<Result<PublicKey>> root_key(kv::KeyValue& store) {
  auto records = co_await key_records(store);
  if (!records) co_return records.error();
  RecordReader reader;
  reader.feed(*records);
  auto first = reader.next();
  if (!first) co_return first.error();
  if (!*first) co_return Error(ErrorKind::kCorrupt, "the feed has no key");
  auto record = KeyRecord::decode((*first)->payload);
  if (!record) co_return record.error();
  co_return PublicKey::from_raw(record->raw);
}

}  // namespace wherry::feed
