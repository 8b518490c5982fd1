#include "node/eviction/cache_space.h"

#include <algorithm>

#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"
#include "node/eviction/manifest_facts.h"

namespace wherry::node {
namespace {

namespace tables = registry::tables;

constexpr std::uint64_t kNoMark = UINT64_MAX / 4;
constexpr int kTries = 64;  // others may take the room that was made; then it is made again

WallTime now() { return Clock::system().wall(); }

}  // namespace

CacheSpace::CacheSpace(registry::Storage& storage, CacheOptions options, const std::vector<Loop*>& loops,
                       Metrics& metrics)
    : storage_(storage),
      options_(std::move(options)),
      home_(Loop::current()),
      ledger_(options_.max_bytes.value_or(kNoMark), options_.whole_image_time),
      just_asked_(loops),
      evictions_(metrics.counter("wherry_cache_evictions_total", "Blobs that made room for others")),
      evicted_bytes_(metrics.counter("wherry_cache_evicted_bytes_total", "Their bytes on the disk")),
      refused_(metrics.counter("wherry_cache_no_room_total", "Fetches for which no room could be made")) {
  metrics.gauge("wherry_cache_bytes", "Bytes on the disk of blobs that are held, promised to fills, or still read",
                [this] {
                  const std::lock_guard lock(mutex_);
                  return static_cast<double>(ledger_.used_bytes());
                });
  metrics.gauge("wherry_cache_max_bytes", "What wherry_cache_bytes never exceeds; 0 without cache.max-bytes",
                [this] { return static_cast<double>(options_.max_bytes.value_or(0)); });
}

CacheSpace::~CacheSpace() = default;

CacheSpace::Held CacheSpace::held() const {
  const std::lock_guard lock(mutex_);
  return {ledger_.used_bytes(), options_.max_bytes, ledger_.blobs(), ledger_.manifests()};
}

CacheSpace::Hold& CacheSpace::Hold::operator=(Hold&& other) noexcept {
  if (this != &other) {
    end();
    space_ = other.space_;
    blob_ = std::move(other.blob_);
  }
  return *this;
}

void CacheSpace::Hold::end() {
  if (blob_ == nullptr) return;
  const std::lock_guard lock(space_->mutex_);
  space_->ledger_.end_reader(*blob_);
  blob_.reset();
}

CacheSpace::Hold CacheSpace::hold(const Digest& digest, Read read) {
  const std::lock_guard lock(mutex_);
  auto blob = ledger_.find(digest);
  if (blob == nullptr) return {};
  ledger_.add_reader(*blob);
  if (read == Read::kFill)
    ledger_.join(*blob);
  else
    ledger_.hit(*blob);
  return Hold(*this, std::move(blob));
}

CacheSpace::Room::~Room() {
  if (!hold_) return;
  const std::lock_guard lock(hold_.space_->mutex_);
  if (hold_.blob_->state == Blob::State::kFilling) hold_.space_->ledger_.drop(*hold_.blob_);
}

void CacheSpace::Room::written(std::uint64_t bytes) {
  const std::lock_guard lock(hold_.space_->mutex_);
  hold_.space_->ledger_.written(*hold_.blob_, bytes);
}

void CacheSpace::Room::kept(std::uint64_t size_bytes) {
  const std::lock_guard lock(hold_.space_->mutex_);
  hold_.space_->ledger_.filled(*hold_.blob_, disk_bytes(size_bytes));
}

Task<Result<void>> CacheSpace::Room::reach(std::uint64_t bytes) {
  if (bytes <= promised_bytes_) co_return Result<void>();
  CacheSpace& space = *hold_.space_;
  const std::uint64_t ahead = bytes + kGrowBytes;
  const std::uint64_t charge = disk_bytes(ahead);
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t more = 0;
    {
      const std::lock_guard lock(space.mutex_);
      more = charge - std::min(charge, hold_.blob_->charged_bytes);
      if (space.ledger_.shortage(more) == 0) {
        space.ledger_.grow(*hold_.blob_, charge);
        promised_bytes_ = ahead;
      }
    }
    if (bytes <= promised_bytes_) co_return co_await space.keep_floor();
    auto made = co_await space.make_free(more);
    if (!made) co_return made;
  }
  co_return space.no_room(bytes);
}

Error CacheSpace::no_room(std::uint64_t bytes) const {
  if (bytes > ledger_.max_bytes())
    return Error(ErrorKind::kNoSpace, "{} bytes have no room in a cache of {}", bytes, ledger_.max_bytes());
  return Error(ErrorKind::kNoSpace, "no room can be made for {} bytes: what is held is being read or filled, or pinned",
               bytes);
}

Task<Result<CacheSpace::Room>> CacheSpace::make_room(const RepositoryName& repository, const Digest& digest,
                                                     std::optional<std::uint64_t> size_bytes) {
  const std::uint64_t ahead = size_bytes.value_or(kGrowBytes);
  const std::uint64_t charge = disk_bytes(ahead);
  const bool pinned = options_.pins.match_repository(repository.text());
  Room room;
  for (int tries = 0; tries < kTries && !room.hold_; ++tries) {
    bool leaving = false;
    {
      const std::lock_guard lock(mutex_);
      auto there = ledger_.find(digest);
      if (there != nullptr && there->state == Blob::State::kHeld) {  // its row is gone, or nobody would fetch it
        ledger_.drop(*there);
        there = nullptr;
      }
      leaving = there != nullptr;
      if (!leaving && ledger_.shortage(charge) == 0) {
        room.hold_ = Hold(*this, ledger_.begin_fill(digest, charge, pinned));
        room.promised_bytes_ = ahead;
      }
    }
    if (room.hold_) break;
    Result<void> made;
    if (leaving)
      co_await until_gone(digest);
    else
      made = co_await make_free(charge);
    if (!made) {
      refused_.add();
      co_return made.error();
    }
  }
  Result<void> floor = no_room(charge);
  if (room.hold_) floor = co_await keep_floor();
  if (!floor) {
    refused_.add();
    co_return floor.error();
  }
  co_return std::move(room);
}

/// Waits while a blob is being removed; its next life begins after that.
Task<void> CacheSpace::until_gone(Digest digest) {
  Loop& here = Loop::current();
  co_await home_.enter();
  const auto leaving = [&] {
    const std::lock_guard lock(mutex_);
    return ledger_.find(digest) != nullptr;
  };
  while (evicting_ && leaving()) co_await evicted_.wait();
  co_await here.enter();
}

/// Evicts until the disk has its free space beside all that was promised.
Task<Result<void>> CacheSpace::keep_floor() {
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t unwritten = 0;
    std::uint64_t idle = 0;
    {
      const std::lock_guard lock(mutex_);
      unwritten = ledger_.unwritten_bytes();
      idle = ledger_.idle_bytes();
    }
    auto admitted = storage_.space().admit(unwritten);
    if (admitted || admitted.error().kind() != ErrorKind::kNoSpace) co_return admitted;
    const std::uint64_t free = storage_.space().space().free_bytes;
    const std::uint64_t wanted = storage_.space().low_water_bytes() + unwritten;
    const std::uint64_t missing = wanted > free ? wanted - free : 1;
    if (missing > idle) co_return admitted;  // evicting all would not help: somebody else filled the disk
    const std::function<std::uint64_t()> all_of_it = [missing] { return missing; };
    auto evicted = co_await evict(all_of_it);
    if (!evicted) co_return evicted.error();
    if (*evicted == 0) co_return admitted;
  }
  co_return no_room(0);
}

/// Evicts until `bytes` more can be promised.
Task<Result<void>> CacheSpace::make_free(std::uint64_t bytes) {
  const std::function<std::uint64_t()> missing = [this, bytes]() -> std::uint64_t {
    const std::lock_guard lock(mutex_);
    const std::uint64_t shortage = ledger_.shortage(bytes);
    // Nothing goes for what cannot come: the rest is in use or pinned.
    return shortage > ledger_.idle_bytes() ? 0 : shortage;
  };
  auto evicted = co_await evict(missing);
  if (!evicted) co_return evicted.error();
  bool short_of_room = false;
  {
    const std::lock_guard lock(mutex_);
    short_of_room = ledger_.shortage(bytes) > 0;
  }
  if (*evicted == 0 && short_of_room) co_return no_room(bytes);
  co_return Result<void>();
}

/// Removes what is missed least, one eviction at a time; `missing` is asked when its turn has come. Gives how many
/// bytes went.
Task<Result<std::uint64_t>> CacheSpace::evict(const std::function<std::uint64_t()>& missing) {
  Loop& here = Loop::current();
  co_await home_.enter();
  while (evicting_) co_await evicted_.wait();
  evicting_ = true;
  Result<std::uint64_t> gone = std::uint64_t{0};
  const std::uint64_t wanted = missing();
  while (gone && *gone < wanted) {
    auto batch = co_await evict_batch(wanted - *gone);
    if (!batch)
      gone = batch.error();
    else if (*batch == 0)
      break;
    else
      gone = *gone + *batch;
  }
  evicting_ = false;
  evicted_.wake_all();
  co_await here.enter();
  co_return gone;
}

Task<Result<std::uint64_t>> CacheSpace::evict_batch(std::uint64_t bytes) {
  std::vector<std::shared_ptr<Blob>> victims;
  {
    const std::lock_guard lock(mutex_);
    victims = ledger_.choose(bytes, kVictimsATime, now());
  }
  if (victims.empty()) co_return std::uint64_t{0};
  auto forgotten = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    for (const auto& victim : victims) {
      auto erased = forget_blob(transaction, victim->digest);
      if (!erased) return erased;
    }
    return {};
  });
  if (!forgotten) {
    const std::lock_guard lock(mutex_);
    for (const auto& victim : victims) ledger_.stays(*victim);
    co_return forgotten.error();
  }
  failpoint("blobs-forgotten");
  std::uint64_t gone = 0;
  for (const auto& victim : victims) {
    told_(victim->digest);
    auto removed = co_await storage_.blobs().remove(victim->digest);
    // Without a row it is nobody's; the next start tries again.
    if (!removed) log::warn("an evicted blob's file stays", {{"error", removed.error().to_string()}});
    failpoint("blob-evicted");
    evictions_.add();
    evicted_bytes_.add(victim->charged_bytes);
    gone += victim->charged_bytes;
    const std::lock_guard lock(mutex_);
    ledger_.drop(*victim);
  }
  co_return gone;
}

/// Erases a blob's row and what says which repositories hold it.
Result<void> CacheSpace::forget_blob(kv::Transaction& transaction, const Digest& digest) {
  transaction.erase(tables::torrent_key(digest));
  const std::string prefix = tables::holders_prefix(digest);
  std::vector<std::string> holders;
  auto scanned = transaction.scan(prefix, {}, [&](std::string_view key, std::string_view) {
    holders.emplace_back(key.substr(prefix.size()));
    return true;
  });
  if (!scanned) return scanned;
  for (const std::string& holder : holders)
    if (const auto repository = RepositoryName::parse(holder))
      registry::erase_membership(transaction, *repository, digest);
  transaction.erase(tables::blob_key(digest));
  return {};
}

void CacheSpace::lost(const Digest& digest) {
  told_(digest);
  const std::lock_guard lock(mutex_);
  const auto blob = ledger_.find(digest);
  if (blob != nullptr && blob->state == Blob::State::kHeld) ledger_.drop(*blob);
}

void CacheSpace::asked(const RepositoryName& repository, const registry::StoredManifest& manifest, const Tag* tag) {
  if (just_asked_.here().told(repository, manifest.digest(), tag != nullptr, epoch_.load(std::memory_order_acquire),
                              Loop::current().now(), Ledger::kOnePull))
    return;
  const bool pinned = tag == nullptr ? options_.pins.match_repository(repository.text())
                                     : options_.pins.match_tag(repository.text(), tag->text());
  const auto known = [&] {
    const std::lock_guard lock(mutex_);
    return ledger_.asked(repository, manifest.digest(), tag != nullptr, pinned, now());
  };
  if (known()) return;
  bool too_many = false;
  ManifestFacts facts = facts_of(manifest.media_type(), manifest.bytes());
  {
    const std::lock_guard lock(mutex_);
    ledger_.learn(repository, manifest.digest(), std::move(facts));
    too_many = ledger_.too_many_manifests();
  }
  known();
  if (too_many && !tend_asked_.exchange(true)) home_.post([this] { sleeper_.wake(); });
}

void CacheSpace::untagged(const RepositoryName& repository, const Digest& digest) {
  {
    const std::lock_guard lock(mutex_);
    ledger_.untag(repository, digest);
  }
  epoch_.fetch_add(1, std::memory_order_release);
}

}  // namespace wherry::node
