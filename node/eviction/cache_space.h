// CacheSpace: keeps what a node holds under its mark: makes room before a blob is fetched, and knows who uses what.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/per_loop.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/observe/metrics.h"
#include "common/registry/catalog.h"
#include "common/registry/storage.h"
#include "node/eviction/just_asked.h"
#include "node/eviction/ledger.h"
#include "node/eviction/pin_patterns.h"

namespace wherry::node {

struct CacheOptions {
  std::optional<std::uint64_t> max_bytes;  ///< cache.max-bytes; only the disk's floor when not set
  PinPatterns pins;                        ///< cache.pins
  std::chrono::milliseconds whole_image_time{std::chrono::hours(1)};  ///< cache.whole-image-time
};

/// The ledger with its lock, and the steps that make its decisions true: row, then file. All calls from any loop, but
/// for those where another is said. The lock is held for a look into tables, never over a wait.
class CacheSpace {
 public:
  static constexpr std::size_t kVictimsATime = 64;                     ///< blobs in one transaction
  static constexpr std::uint64_t kGrowBytes = std::uint64_t{4} << 20;  ///< promised ahead to a fill of unknown size
  static constexpr std::chrono::minutes kOrderEvery{5};                ///< so old is the order of leaving after a kill

  /// At home on the current loop; `loops` are all that will ask.
  CacheSpace(registry::Storage& storage, CacheOptions options, const std::vector<Loop*>& loops, Metrics& metrics);
  ~CacheSpace();

  /// Reads what is held, removes files that have no row, and makes the mark true. Before anything else is called.
  Task<Result<void>> load();
  /// Starts to write down the order of leaving, and to forget manifests that are too many; on the home loop.
  void start();
  /// Ends that, and writes the order down; on the home loop.
  Task<void> stop();

  /// Who is told of each blob that leaves, before its file does. Any loop; before anything can leave.
  void on_gone(std::function<void(const Digest&)> told) { told_ = std::move(told); }

  /// A blob in use: it does not go as long as this lives. Empty when the blob is not known.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : space_(other.space_), blob_(std::move(other.blob_)) {}
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { end(); }
    explicit operator bool() const { return blob_ != nullptr; }
    void end();

   private:
    friend class CacheSpace;
    Hold(CacheSpace& space, std::shared_ptr<Blob> blob) : space_(&space), blob_(std::move(blob)) {}
    CacheSpace* space_ = nullptr;
    std::shared_ptr<Blob> blob_;
  };
  enum class Read { kHeld, kFill };
  /// For one who reads it: what is held already, or a fill.
  Hold hold(const Digest& digest, Read read = Read::kHeld);

  /// Bytes that are promised to a fill; given back when this is dropped before kept().
  class Room {
   public:
    Room() = default;
    Room(Room&&) noexcept = default;
    ~Room();
    /// Before more is written than `bytes` in all. Errors: as make_room().
    Task<Result<void>> reach(std::uint64_t bytes);
    void written(std::uint64_t bytes);
    /// The row is there: the blob is held from now on.
    void kept(std::uint64_t size_bytes);

   private:
    friend class CacheSpace;
    Hold hold_;
    std::uint64_t promised_bytes_ = 0;
  };
  /// Makes room for a blob that is fetched for a repository, evicting what is missed least; `size_bytes` when known.
  /// Errors: kNoSpace when there can be none: larger than the mark, or all else is in use or pinned; kIo.
  Task<Result<Room>> make_room(const RepositoryName& repository, const Digest& digest,
                               std::optional<std::uint64_t> size_bytes);

  /// What is held now, for whoever shows it.
  struct Held {
    std::uint64_t bytes = 0;  ///< as wherry_cache_bytes
    std::optional<std::uint64_t> max_bytes;
    std::size_t blobs = 0;  ///< those too that are being filled
    std::size_t manifests = 0;
  };
  Held held() const;

  /// A stored blob was found damaged and is gone.
  void lost(const Digest& digest);

  /// A manifest was given to a client, by this tag or by its digest. Takes no lock when that was so a moment ago.
  void asked(const RepositoryName& repository, const registry::StoredManifest& manifest, const Tag* tag);
  /// This tag does not name that manifest any more.
  void untagged(const RepositoryName& repository, const Digest& digest);

 private:
  Task<Result<void>> make_free(std::uint64_t bytes);
  Task<Result<void>> keep_floor();
  Task<void> until_gone(Digest digest);
  Task<Result<std::uint64_t>> evict(const std::function<std::uint64_t()>& missing);
  Task<Result<std::uint64_t>> evict_batch(std::uint64_t bytes);
  static Result<void> forget_blob(kv::Transaction& transaction, const Digest& digest);
  Error no_room(std::uint64_t bytes) const;

  Task<Result<void>> load_blobs();
  Task<Result<void>> load_manifests();
  Task<Result<void>> sweep_files();
  Task<void> tend();
  Task<Result<void>> save_order();
  Task<Result<void>> forget_manifests();

  registry::Storage& storage_;
  CacheOptions options_;
  Loop& home_;
  mutable std::mutex mutex_;
  Ledger ledger_;          // under mutex_
  bool evicting_ = false;  // home loop
  Event evicted_;          // home loop
  Scope scope_;
  Sleeper sleeper_;
  bool stopping_ = false;
  std::function<void(const Digest&)> told_ = [](const Digest&) {};
  std::atomic<bool> tend_asked_ = false;
  PerLoop<JustAsked> just_asked_;
  std::atomic<std::uint64_t> epoch_{0};  // another one when the ledger has to hear of all manifests again
  Counter evictions_;
  Counter evicted_bytes_;
  Counter refused_;
};

}  // namespace wherry::node
