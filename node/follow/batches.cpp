#include "node/follow/batches.h"

#include "node/follow/cached_names.h"
#include "node/follow/follow_rows.h"

namespace wherry::node {

Result<feed::Head> apply_batches(kv::Transaction& transaction, CacheSpace& space,
                                 const std::vector<feed::Batch>& batches) {
  feed::Appender appender(transaction);
  CachedRepositories cached(transaction);
  for (const feed::Batch& batch : batches) {
    for (const feed::Entry& entry : batch.entries) {
      appender.receive(entry);
      if (!entry.change() || entry.change()->repository().empty()) continue;
      auto holds = cached.holds(entry.change()->repository());
      if (!holds) return holds.error();
      if (!*holds) continue;
      auto done = apply_to_cache(transaction, space, *entry.change(), entry.position());
      if (!done) return done.error();
    }
    transaction.put(rows::signed_head_key(batch.head.head.position), batch.head.encode());
    appender.set_epoch(batch.head.head.epoch);
  }
  return appender.finish();
}

}  // namespace wherry::node
