#include "bench/followers/append.h"

#include <algorithm>

#include "common/async/run_on_loop.h"
#include "common/base/clock.h"
#include "common/feed/log.h"
#include "common/kv/rocks_key_value.h"

namespace wherry::bench {
namespace {

constexpr std::uint64_t kAtOnce = 1000;

Task<int> append_all(kv::KeyValue& store, std::string repository, Digest digest, std::uint64_t count,
                     Result<void>& outcome) {
  for (std::uint64_t done = 0; done < count; done += kAtOnce) {
    const std::uint64_t end = std::min(count, done + kAtOnce);
    auto appended = co_await store.transact([&](kv::Transaction& transaction) {
      feed::Appender appender(transaction);
      for (std::uint64_t i = done; i < end; ++i)
        appender.append(feed::Change::tag_set(repository, fmt::format("f{}", i), digest, Clock::system().wall()));
      return appender.finish();
    });
    if (appended) continue;
    outcome = appended.error();
    co_return 1;
  }
  co_return 0;
}

}  // namespace

Result<void> append_tags(const std::string& data, const std::string& repository, const std::string& digest,
                         std::uint64_t count) {
  const auto named = Digest::parse(digest);
  if (!named) return named.error();
  Pool pool("disk", 1);
  auto store = kv::RocksKeyValue::open(data + "/names", pool, {});
  if (!store) return store.error();
  Result<void> outcome;
  run_on_loop([&] { return append_all(**store, repository, *named, count, outcome); });
  store->reset();
  return outcome;
}

}  // namespace wherry::bench
