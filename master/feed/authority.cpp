#include "master/feed/authority.h"

#include "common/base/log.h"

namespace wherry::master {

Authority::Authority(kv::KeyValue& store, feed::SigningKey key, std::uint64_t keep_entries, feed::Publisher& publisher,
                     const Clock& clock, Metrics& metrics)
    : store_(store),
      key_(std::move(key)),
      keep_entries_(keep_entries),
      publisher_(publisher),
      clock_(clock),
      home_(Loop::current()),
      signed_(metrics.counter("wherry_feed_heads_signed_total", "Heads of the feed that were signed and published")) {
  wake_.authority = this;
  wake_.run = [](Loop::Message* message) {
    auto* wake = static_cast<Wake*>(message);
    wake->on_its_way.store(false, std::memory_order_release);
    wake->authority->woken_ = true;
    wake->authority->sleeper_.wake();
  };
}

Task<Result<void>> Authority::start() {
  auto announced = co_await announce();
  if (!announced) co_return announced;
  auto present = co_await feed::head(store_);
  if (!present) co_return present.error();
  publish_head(*present);
  store_.watch(feed::kHeadKey, [this] {
    if (!wake_.on_its_way.exchange(true, std::memory_order_acq_rel)) home_.send(wake_);
  });
  scope_.spawn(watch());
  scope_.spawn(compact());
  co_return Result<void>();
}

Task<void> Authority::stop() {
  store_.watch(feed::kHeadKey, nullptr);
  while (wake_.on_its_way.load(std::memory_order_acquire)) co_await home_.yield();
  stopping_ = true;
  sleeper_.wake();
  compacting_.wake();
  co_await scope_.join();
}

Task<Result<void>> Authority::announce() {
  const std::string row = feed::state_keys_prefix() + key_.public_key().raw();
  auto announced = co_await store_.get(row);
  if (!announced) co_return announced.error();
  if (*announced) co_return Result<void>();  // without a write: the disk may have no room
  const auto record = feed::KeyRecord::first(key_.public_key()).encode();
  const WallTime now = clock_.wall();
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto known = transaction.exists(row);
    if (!known) return known.error();
    if (*known) return {};
    return feed::append(transaction, feed::Change::key_announced(record, now));
  });
}

Task<void> Authority::watch() {
  while (!stopping_) {
    woken_ = false;
    auto published = co_await publish_new();
    if (!published) log::error("the feed cannot be published", {{"error", published.error().to_string()}});
    if (woken_ || stopping_) continue;
    co_await sleeper_.sleep(kHeartbeat);
  }
}

Task<void> Authority::compact() {
  while (!stopping_) {
    Result<feed::Stretch> gone = feed::Stretch();
    if (published_.position > keep_entries_) {
      const std::uint64_t keep_from = published_.position - keep_entries_ + 1;
      gone = co_await store_.transact(
          [keep_from](kv::Transaction& transaction) { return feed::compact(transaction, keep_from, kCompactedAtOnce); },
          kv::Durability::kLazy);
    }
    if (!gone) log::warn("the feed's log cannot be compacted", {{"error", gone.error().to_string()}});
    if (stopping_ || (gone && gone->size() == kCompactedAtOnce)) continue;
    co_await compacting_.sleep(kCompactEvery);
  }
}

Task<Result<void>> Authority::publish_new() {
  auto present = co_await feed::head(store_);
  if (!present) co_return present.error();
  while (published_.position < present->position) {
    auto entries = co_await feed::read(store_, published_.position + 1, kMostEntriesSigned);
    if (!entries) co_return entries.error();
    if (entries->list.empty()) co_return Error(ErrorKind::kCorrupt, "entries of the feed are missing");
    const feed::Entry& last = entries->list.back();
    const bool newest = last.position() >= present->position;
    feed::Head head{last.position(), present->epoch, last.chain()};
    if (!newest) head.epoch = last.change()->epoch();
    const WallTime time = newest ? clock_.wall() : last.change()->time();
    publisher_.publish(feed::Segment::make(entries->list, feed::SignedHead::sign(head, time, key_)));
    signed_.add();
    published_ = head;
    published_at_ = clock_.monotonic();
    if (on_published_) on_published_();
  }
  const bool of_new_epoch = present->epoch != published_.epoch;
  if (of_new_epoch || clock_.monotonic() - published_at_ >= kHeartbeat)
    publish_head(published_.position == present->position ? *present : published_);
  co_return Result<void>();
}

void Authority::publish_head(const feed::Head& head) {
  publisher_.publish(feed::Segment::make({}, feed::SignedHead::sign(head, clock_.wall(), key_)));
  signed_.add();
  published_ = head;
  published_at_ = clock_.monotonic();
}

Task<Result<std::optional<feed::Heads::Closing>>> Authority::closing(const std::vector<feed::Entry>& entries) {
  const std::size_t count = std::min(entries.size(), kMostEntriesSigned);
  const feed::Entry& last = entries[count - 1];
  // As of when this entry was the newest; its successors follow.
  const feed::Head head{last.position(), last.change()->epoch(), last.chain()};
  co_return std::optional<Closing>(Closing{feed::SignedHead::sign(head, last.change()->time(), key_), count});
}

}  // namespace wherry::master
