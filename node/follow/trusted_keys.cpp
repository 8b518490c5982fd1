#include "node/follow/trusted_keys.h"

#include "common/feed/key_records.h"
#include "common/feed/record.h"
#include "node/follow/follow_rows.h"

namespace wherry::node {

Task<Result<void>> load_trusted_keys(kv::KeyValue& store, std::string configured, feed::TrustedKeys& keys) {
  if (!configured.empty()) {
    auto key = feed::PublicKey::from_hex(configured);
    if (!key) co_return key.error();
    keys.add(std::move(*key));
  } else {
    auto pinned = co_await store.get(rows::pinned_key());
    if (!pinned) co_return pinned.error();
    if (*pinned) {
      auto key = feed::PublicKey::from_raw(**pinned);
      if (!key) co_return Error(ErrorKind::kCorrupt, "the row of the pinned key of the feed is damaged");
      keys.add(std::move(*key));
    }
  }
  auto records = co_await feed::key_records(store);
  if (!records) co_return records.error();
  feed::RecordReader reader;
  reader.feed(*records);
  while (true) {
    auto record = reader.next();
    if (!record || !*record) break;
    if (auto key = feed::KeyRecord::decode((*record)->payload)) keys.admit(*key);
  }
  co_return Result<void>();
}

}  // namespace wherry::node
