// The part of CacheSpace that reads what is there at a start, and writes down the order of leaving for the next one.
#include <algorithm>
#include <unordered_set>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/kv/for_each_row.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"
#include "node/eviction/cache_space.h"
#include "node/eviction/manifest_facts.h"

namespace wherry::node {
namespace {

namespace tables = registry::tables;

// Rows of places in the order of leaving. A start without it, or with an old one, is no worse than
// one that has not seen many hits.
constexpr std::size_t kPlacesAPiece = 4096;
constexpr std::size_t kMaxManifestsAtOnce = 64;

struct Kept {
  Digest digest;
  EvictionPolicy::Place place;
  WallTime asked_at;
};

void append_place(std::string& piece, const Digest& digest, EvictionPolicy::Place place, WallTime asked_at) {
  piece.append(digest.binary());
  piece.push_back(static_cast<char>((place.main ? 0x80 : 0) | place.hits));
  append_be64(piece, static_cast<std::uint64_t>(to_millis(asked_at)));
}

/// Reads a piece as far as it can be read.
void read_places(std::string_view piece, std::vector<Kept>& into) {
  while (!piece.empty()) {
    auto digest = tables::take_digest(piece);
    if (!digest || piece.empty()) return;
    const auto byte = static_cast<std::uint8_t>(piece.front());
    piece.remove_prefix(1);
    const auto asked_at = take_be64(piece);
    if (!asked_at) return;
    into.push_back({*digest,
                    {(byte & 0x80) != 0, static_cast<std::uint8_t>(byte & 0x7f)},
                    from_millis(static_cast<std::int64_t>(*asked_at))});
  }
}

/// Splits "repository NUL rest" of a key behind its table's letter.
std::optional<std::pair<RepositoryName, std::string_view>> split_key(std::string_view key) {
  key.remove_prefix(1);
  const auto end = key.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  auto repository = RepositoryName::parse(key.substr(0, end));
  if (!repository) return std::nullopt;
  return std::pair(std::move(*repository), key.substr(end + 1));
}

}  // namespace

Task<Result<void>> CacheSpace::load() {
  auto done = co_await load_blobs();
  if (done) done = co_await load_manifests();
  if (done) done = co_await sweep_files();
  if (!done) co_return done;
  auto made = co_await make_free(0);  // the mark may have been lowered
  if (!made) log::warn("the cache is over its mark and cannot be made smaller", {{"error", made.error().to_string()}});
  co_return Result<void>();
}

Task<Result<void>> CacheSpace::load_blobs() {
  std::vector<Kept> order;
  const kv::VisitRow read_order = [&](std::string_view, std::string_view piece) -> Result<void> {
    read_places(piece, order);
    return {};
  };
  auto done = co_await kv::for_each_row(storage_.names(), tables::order_prefix('b'), read_order);
  if (!done) co_return done;
  std::unordered_map<Digest, std::uint64_t> charges;
  const kv::VisitRow read_blob = [&](std::string_view key, std::string_view value) -> Result<void> {
    key.remove_prefix(tables::blobs_prefix().size());
    const auto digest = tables::take_digest(key);
    const auto row = store::BlobRow::decode(value);
    if (digest && row) charges.emplace(*digest, disk_bytes(row->size()));
    return {};
  };
  done = co_await kv::for_each_row(storage_.names(), tables::blobs_prefix(), read_blob);
  if (!done) co_return done;
  std::unordered_set<Digest> pinned;
  const kv::VisitRow read_holder = [&](std::string_view key, std::string_view) -> Result<void> {
    key.remove_prefix(tables::holders_prefix().size());
    const auto digest = tables::take_digest(key);
    if (digest && options_.pins.match_repository(key)) pinned.insert(*digest);
    return {};
  };
  if (!options_.pins.empty()) done = co_await kv::for_each_row(storage_.names(), tables::holders_prefix(), read_holder);
  if (!done) co_return done;
  const std::lock_guard lock(mutex_);
  for (const Kept& kept : order) {
    const auto charge = charges.find(kept.digest);
    if (charge == charges.end()) continue;
    ledger_.found(kept.digest, charge->second, pinned.contains(kept.digest), kept.place);
    charges.erase(charge);
  }
  for (const auto& [digest, charge] : charges) ledger_.found(digest, charge, pinned.contains(digest), std::nullopt);
  co_return Result<void>();
}

Task<Result<void>> CacheSpace::load_manifests() {
  const kv::VisitRow learn = [&](std::string_view key, std::string_view value) -> Result<void> {
    auto split = split_key(key);
    const auto row = tables::decode_manifest(value);
    if (!split || !row) return {};
    const auto digest = tables::take_digest(split->second);
    if (!digest) return {};
    const std::lock_guard lock(mutex_);
    ledger_.learn(split->first, *digest, facts_of(row->media_type, row->bytes));
    return {};
  };
  auto done = co_await kv::for_each_row(storage_.names(), tables::manifests_prefix(), learn);
  const kv::VisitRow tag = [&](std::string_view key, std::string_view value) -> Result<void> {
    const auto split = split_key(key);
    const auto digest = Digest::from_binary(value);
    if (!split || !digest) return {};
    const std::lock_guard lock(mutex_);
    ledger_.tag(split->first, *digest, options_.pins.match_tag(split->first.text(), split->second));
    return {};
  };
  if (done) done = co_await kv::for_each_row(storage_.names(), tables::tags_prefix(), tag);
  std::vector<Kept> order;
  const kv::VisitRow read_order = [&](std::string_view, std::string_view piece) -> Result<void> {
    read_places(piece, order);
    return {};
  };
  if (done) done = co_await kv::for_each_row(storage_.names(), tables::order_prefix('m'), read_order);
  const std::lock_guard lock(mutex_);
  for (const Kept& kept : order) ledger_.recall(kept.digest, kept.place, kept.asked_at);
  co_return done;
}

/// Removes files that have no row: a crash came between the one and the other, or the row was damaged.
Task<Result<void>> CacheSpace::sweep_files() {
  std::size_t removed = 0;
  const std::string top = storage_.blobs().layout().directory() + "/blobs";
  const auto sweep = [&](const std::string& algorithm, const std::string& folder) {
    return for_each_file(folder, [&](const std::string& name) {
      const auto digest = Digest::parse(algorithm + ":" + name);
      if (!digest) return;  // not ours
      {
        const std::lock_guard lock(mutex_);
        if (ledger_.find(*digest) != nullptr) return;
      }
      const auto gone = remove_file(folder + "/" + name);
      removed += gone && *gone ? 1 : 0;
    });
  };
  auto swept = co_await storage_.blobs().pool().run([&]() -> Result<void> {
    for (const DigestAlgorithm algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
      const std::string name(algorithm_name(algorithm));
      std::vector<std::string> folders;
      auto listed = for_each_entry(top + "/" + name, [&](const std::string& entry) {
        if (entry.size() == 2) folders.push_back(entry);
      });
      for (const std::string& folder : folders)
        if (listed) listed = sweep(name, top + "/" + name + "/" + folder);
      if (!listed) return listed;
    }
    return {};
  });
  if (removed > 0) log::info("files without a row were removed", {{"files", std::to_string(removed)}});
  co_return swept;
}

void CacheSpace::start() { scope_.spawn(tend()); }

Task<void> CacheSpace::stop() {
  stopping_ = true;
  sleeper_.wake();
  co_await scope_.join();
  auto saved = co_await save_order();
  if (!saved) log::warn("the order of leaving was not kept", {{"error", saved.error().to_string()}});
}

Task<void> CacheSpace::tend() {
  Monotonic saved_at = Clock::system().monotonic();
  while (!stopping_) {
    co_await sleeper_.sleep(kOrderEvery);
    if (stopping_) break;
    tend_asked_ = false;
    auto done = co_await forget_manifests();
    const Monotonic now = Clock::system().monotonic();
    if (done && now - saved_at >= kOrderEvery) {
      done = co_await save_order();
      saved_at = now;
    }
    if (!done) log::warn("the cache could not be tended", {{"error", done.error().to_string()}});
  }
}

/// Writes the order down. Lazily: after a power cut an older one does.
Task<Result<void>> CacheSpace::save_order() {
  for (const char kind : {'b', 'm'}) {
    std::vector<std::string> pieces;
    std::size_t count = 0;
    const auto add = [&](const Digest& digest, EvictionPolicy::Place place, WallTime asked_at) {
      if (count++ % kPlacesAPiece == 0) pieces.emplace_back();
      append_place(pieces.back(), digest, place, asked_at);
    };
    {
      const std::lock_guard lock(mutex_);
      if (kind == 'b')
        ledger_.for_each_blob([&](const Digest& digest, EvictionPolicy::Place place) { add(digest, place, {}); });
      else
        ledger_.for_each_manifest(add);
    }
    pieces.emplace_back();  // and it ends there, whatever an older order left behind
    for (std::uint32_t number = 0; number < pieces.size(); ++number) {
      auto written = co_await storage_.names().transact(
          [&](kv::Transaction& transaction) -> Result<void> {
            const std::string key = tables::order_key(kind, number);
            if (!pieces[number].empty()) {
              transaction.put(key, pieces[number]);
              return {};
            }
            std::vector<std::string> older;
            auto scanned =
                transaction.scan(tables::order_prefix(kind), {}, [&](std::string_view other, std::string_view) {
                  if (other >= key) older.emplace_back(other);
                  return true;
                });
            for (const std::string& other : older) transaction.erase(other);
            return scanned;
          },
          kv::Durability::kLazy);
      if (!written) co_return written;
    }
  }
  co_return Result<void>();
}

/// Forgets manifests that nobody asked for in the longest time, while there are too many.
Task<Result<void>> CacheSpace::forget_manifests() {
  while (!stopping_) {
    std::vector<std::pair<RepositoryName, Digest>> forgotten;
    {
      const std::lock_guard lock(mutex_);
      forgotten = ledger_.forget_manifests(kMaxManifestsAtOnce);
    }
    if (forgotten.empty()) break;
    epoch_.fetch_add(1, std::memory_order_release);
    auto erased = co_await storage_.names().transact(
        [&](kv::Transaction& transaction) -> Result<void> {
          for (const auto& [repository, digest] : forgotten) {
            auto gone = registry::erase_manifest(transaction, repository, digest);
            if (!gone && gone.error().kind() != ErrorKind::kManifestUnknown) return gone.error();
          }
          return {};
        },
        kv::Durability::kLazy);
    if (!erased) co_return erased;
  }
  co_return Result<void>();
}

}  // namespace wherry::node
