#include "common/registry/scrubber.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::registry {
namespace {

constexpr std::chrono::seconds kAfterStart{30};  // a start has better things to do
constexpr std::chrono::minutes kWhenEmpty{10};
constexpr std::size_t kPageBlobs = 128;
constexpr double kLeastBytesASecond = 1024 * 1024;

}  // namespace

Scrubber::Scrubber(Storage& storage, DamageHandler& damage, std::chrono::milliseconds round, Metrics& metrics)
    : storage_(storage),
      damage_(damage),
      round_(round),
      checked_bytes_(metrics.counter("wherry_scrub_checked_bytes_total", "Bytes of stored blobs that a scrub read")),
      rounds_(metrics.counter("wherry_scrub_rounds_total", "Times that a scrub went through all blobs")) {}

Task<void> Scrubber::stop() {
  stopping_ = true;
  sleeper_.wake();
  co_await scope_.join();
}

Task<void> Scrubber::pause(std::chrono::milliseconds time) {
  if (!stopping_) co_await sleeper_.sleep(time);
}

Task<Result<std::uint64_t>> Scrubber::total_bytes() {
  std::uint64_t total = 0;
  std::string after;
  while (!stopping_) {
    auto page = co_await storage_.names().scan(kv::ScanRequest(tables::blobs_prefix(), after));
    if (!page) co_return page.error();
    for (const auto& [key, value] : page->entries)
      if (auto row = store::BlobRow::decode(value)) total += row->size();
    if (!page->more) break;
    after = page->entries.back().first;
  }
  co_return total;
}

Task<void> Scrubber::run() {
  co_await pause(std::min<std::chrono::milliseconds>(round_, kAfterStart));
  auto kept = co_await storage_.names().get(tables::scrub_key());
  std::string after = kept && *kept ? **kept : std::string();
  while (!stopping_) {
    auto total = co_await total_bytes();
    if (!total || *total == 0) {
      co_await pause(kWhenEmpty);
      continue;
    }
    const double seconds = std::max(1.0, std::chrono::duration<double>(round_).count());
    const double rate = std::max(kLeastBytesASecond, static_cast<double>(*total) / seconds);
    auto next = co_await page(after, rate);
    if (!next) {
      log::warn("a scrub could not go on", {{"error", next.error().to_string()}});
      co_await pause(kWhenEmpty);
      continue;
    }
    after = std::move(*next);
    auto saved = co_await storage_.names().transact(
        [&](kv::Transaction& transaction) -> Result<void> {
          transaction.put(tables::scrub_key(), after);
          return {};
        },
        kv::Durability::kLazy);
    if (!saved) log::debug("the place of the scrub was not kept", {{"error", saved.error().to_string()}});
    if (after.empty()) {
      rounds_.add();
      co_await pause(std::min<std::chrono::milliseconds>(round_, kWhenEmpty));
    }
  }
}

/// Checks some blobs behind the key `after` at the given pace. Gives the key to go on behind; empty after the last.
Task<Result<std::string>> Scrubber::page(std::string after, double bytes_a_second) {
  auto page = co_await storage_.names().scan(kv::ScanRequest(tables::blobs_prefix(), after, kPageBlobs));
  if (!page) co_return page.error();
  for (const auto& [key, value] : page->entries) {
    if (stopping_) co_return after;
    std::string_view rest = std::string_view(key).substr(tables::blobs_prefix().size());
    auto digest = tables::take_digest(rest);
    auto row = store::BlobRow::decode(value);
    if (digest && row) {
      const auto due = std::chrono::milliseconds(
          static_cast<std::int64_t>(1000.0 * static_cast<double>(row->size()) / bytes_a_second));
      const auto begun = Clock::system().monotonic();
      co_await check(*digest, std::move(*row));
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::system().monotonic() - begun);
      co_await pause(std::max(std::chrono::milliseconds(1), due - took));
    } else {
      log::error("a blob's row cannot be read", {{"key_bytes", std::to_string(key.size())}});
    }
    after = key;
  }
  if (!page->more) after.clear();
  co_return after;
}

Task<void> Scrubber::check(Digest digest, store::BlobRow row) {
  const std::uint64_t size = row.size();
  auto blob = co_await storage_.blobs().open_blob(digest, row);
  if (blob) {
    auto checked = co_await storage_.blobs().verify(digest, std::move(row));
    if (!checked && checked.error().kind() == ErrorKind::kCorrupt) damage_.found_damaged(digest, (*blob)->file_id());
    checked_bytes_.add(size);
  } else if (blob.error().kind() == ErrorKind::kCorrupt || blob.error().kind() == ErrorKind::kBlobUnknown) {
    damage_.found_damaged(digest, std::nullopt);
  }
}

}  // namespace wherry::registry
