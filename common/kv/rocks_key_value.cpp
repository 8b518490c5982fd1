#include "common/kv/rocks_key_value.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/thread_number.h"
#include "common/kv/committer.h"
#include "common/kv/recovery.h"
#include "common/kv/rocks_batch.h"
#include "common/kv/row_cache.h"

namespace wherry::kv {
namespace {

rocksdb::Options rocks_options(const RocksOptions& ours, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;  // pinned: what a downgrade must be able to read
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = cache;
  // Indexes and filters count against the cache: memory does not grow with the store.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In small parts: a whole filter of a million short rows is larger than a shard of the cache, and would be read from
  // its file by every look-up.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;

  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // A log that a power cut left torn is opened up to the tear; that no acknowledged entry is beyond it, the mark tells.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Finds a log file that is missing. Its false alarm in 7.8 needs DB::SyncWAL(), which nothing here calls.
  options.track_and_verify_wals_in_manifest = true;
  options.write_buffer_size = ours.write_buffer_bytes;
  // Most look-ups of a transaction are for what is not there; and rows that follow each other in their table are put in
  // their place without a search for it.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  options.max_write_buffer_number = 2;
  options.max_total_wal_size = 4 * ours.write_buffer_bytes;
  options.max_open_files = ours.max_open_files;
  options.max_background_jobs = 2;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  options.bytes_per_sync = 1 << 20;
  options.max_manifest_file_size = std::uint64_t{16} << 20;
  options.avoid_unnecessary_blocking_io = true;  // a reader never deletes files
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  return options;
}

}  // namespace

class RocksKeyValue::Impl {
 public:
  Impl(std::string path, Pool& readers, RocksOptions options)
      : path_(std::move(path)),
        pool_(readers),
        options_(std::move(options)),
        cache_(rocksdb::NewLRUCache(options_.block_cache_bytes)) {}
  ~Impl();

  Result<void> open_read_only();
  Result<void> open_writable();

  Result<std::optional<std::string>> read(std::string_view key, rocksdb::ReadTier tier, bool& unknown);
  Result<Page> scan(const ScanRequest& request);
  Result<void> submit(Submission& submission);
  Result<void> sync_mark();

  bool read_only() const { return !writable_.load(std::memory_order_acquire); }
  Pool& pool() { return pool_; }
  TableVersions& versions() { return versions_; }
  /// This thread's own; null for one of too many.
  RowCache* hot_rows();
  std::uint64_t latest_sequence() { return Reading(*this)->GetLatestSequenceNumber(); }
  std::uint64_t memory_bytes();

 private:
  /// A DB that stays while it is read. Counted only in a store that began read-only: another one never changes.
  class Reading {
   public:
    explicit Reading(Impl& impl) : impl_(impl) {
      if (impl_.began_read_only_) impl_.readers_.fetch_add(1, std::memory_order_seq_cst);
      db_ = impl_.db_.load(std::memory_order_seq_cst);
    }
    ~Reading() {
      if (impl_.began_read_only_) impl_.readers_.fetch_sub(1, std::memory_order_release);
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    rocksdb::DB* operator->() const { return db_; }

   private:
    Impl& impl_;
    rocksdb::DB* db_;
  };

  /// Threads that may keep rows: loops, and some that ended.
  static constexpr std::size_t kCachingThreads = 128;
  /// How long a swapped-out DB waits for a moment without readers; without one it stays until the end.
  static constexpr std::chrono::milliseconds kReadersGone{5000};

  const std::string path_;
  Pool& pool_;
  const RocksOptions options_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  bool began_read_only_ = false;
  std::mutex opening_;
  std::shared_ptr<MarkKeeper> mark_;  // of the writable DB, which must end first
  std::unique_ptr<rocksdb::DB> read_only_db_;
  std::unique_ptr<rocksdb::DB> writable_db_;
  std::atomic<rocksdb::DB*> db_{nullptr};
  std::atomic<std::uint64_t> readers_{0};
  std::atomic<bool> writable_{false};
  TableVersions versions_;
  std::array<std::unique_ptr<RowCache>, kCachingThreads> hot_rows_;  // by thread_number()
  std::unique_ptr<RocksBatch> batch_;
  std::unique_ptr<Committer> committer_;  // last: its thread ends first
};

RocksKeyValue::Impl::~Impl() {
  committer_.reset();
  if (writable_db_) mark_->end(*writable_db_);
}

Result<void> RocksKeyValue::Impl::open_read_only() {
  rocksdb::Options options = rocks_options(options_, cache_);
  auto whole = check_recovery(path_, options);
  if (!whole) return whole;
  options.create_if_missing = false;
  options.info_log = make_silent_log();
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path_, &db);
  if (!status.ok()) return rocks_error(status, "open the metadata store " + path_ + " for reading");
  read_only_db_.reset(db);
  began_read_only_ = true;
  db_.store(db, std::memory_order_seq_cst);
  return {};
}

Result<void> RocksKeyValue::Impl::open_writable() {
  const std::lock_guard lock(opening_);
  if (writable_db_) return {};
  rocksdb::Options options = rocks_options(options_, cache_);
  auto whole = check_recovery(path_, options);
  if (!whole) return whole;
  auto mark = std::make_shared<MarkKeeper>(path_);
  options.listeners.push_back(mark);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path_, &db);
  if (!status.ok()) return rocks_error(status, "open the metadata store " + path_);
  std::unique_ptr<rocksdb::DB> opened(db);
  auto marked = mark->begin(*db);
  if (!marked) return marked;
  mark_ = std::move(mark);
  writable_db_ = std::move(opened);
  batch_ = std::make_unique<RocksBatch>(*db, mark_->high_water(), versions_);
  committer_ = std::make_unique<Committer>(*batch_, Committer::Callbacks{options_.before_commit, options_.on_fatal});
  db_.store(db, std::memory_order_seq_cst);
  writable_.store(true, std::memory_order_release);
  if (!read_only_db_) return {};
  const auto give_up = std::chrono::steady_clock::now() + kReadersGone;
  while (readers_.load(std::memory_order_seq_cst) != 0) {
    if (std::chrono::steady_clock::now() > give_up) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  read_only_db_.reset();
  return {};
}

Result<std::optional<std::string>> RocksKeyValue::Impl::read(std::string_view key, rocksdb::ReadTier tier,
                                                             bool& unknown) {
  rocksdb::ReadOptions options;
  options.read_tier = tier;
  std::string value;
  const Reading db(*this);
  const rocksdb::Status status = db->Get(options, rocksdb::Slice(key.data(), key.size()), &value);
  if (status.ok()) return std::optional(std::move(value));
  unknown = status.IsIncomplete();
  if (status.IsNotFound() || unknown) return std::optional<std::string>();
  return rocks_error(status, "read the metadata store");
}

RowCache* RocksKeyValue::Impl::hot_rows() {
  const std::size_t number = thread_number();
  if (number >= kCachingThreads) return nullptr;
  if (!hot_rows_[number]) hot_rows_[number] = std::make_unique<RowCache>();
  return hot_rows_[number].get();
}

Result<Page> RocksKeyValue::Impl::scan(const ScanRequest& request) {
  const std::string end = end_of_prefix(request.prefix());
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions options;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const Reading db(*this);
  const std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator(options));
  Page page;
  std::size_t bytes = 0;
  auto visited = visit_range(*iterator, request.prefix(), request.after(), [&](auto key, auto value) {
    bytes += key.size() + value.size();
    if (page.entries.size() >= request.limit() || (!page.entries.empty() && bytes > request.max_bytes())) {
      page.more = true;
      return false;
    }
    page.entries.emplace_back(key, value);
    return true;
  });
  if (!visited) return std::move(visited.error());
  return page;
}

Result<void> RocksKeyValue::Impl::submit(Submission& submission) {
  if (read_only())
    return Error(ErrorKind::kNoSpace,
                 "the metadata store is read-only because the disk had no room at the start; free some space");
  return committer_->submit(submission);
}

Result<void> RocksKeyValue::Impl::sync_mark() {
  if (read_only()) return {};
  return mark_->high_water().sync();
}

std::uint64_t RocksKeyValue::Impl::memory_bytes() {
  const Reading db(*this);
  std::uint64_t total = cache_->GetUsage();
  for (const std::string& property :
       {rocksdb::DB::Properties::kCurSizeAllMemTables, rocksdb::DB::Properties::kEstimateTableReadersMem}) {
    std::uint64_t value = 0;
    if (db->GetIntProperty(property, &value)) total += value;
  }
  return total;
}

RocksKeyValue::RocksKeyValue(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksKeyValue::~RocksKeyValue() = default;

Result<std::unique_ptr<RocksKeyValue>> RocksKeyValue::open(const std::string& path, Pool& readers,
                                                           RocksOptions options) {
  auto impl = std::make_unique<Impl>(path, readers, std::move(options));
  auto opened = impl->open_writable();
  if (!opened) return std::move(opened.error());
  return std::unique_ptr<RocksKeyValue>(new RocksKeyValue(std::move(impl)));
}

Result<std::unique_ptr<RocksKeyValue>> RocksKeyValue::open_read_only(const std::string& path, Pool& readers,
                                                                     RocksOptions options) {
  auto impl = std::make_unique<Impl>(path, readers, std::move(options));
  auto opened = impl->open_read_only();
  if (!opened) return std::move(opened.error());
  return std::unique_ptr<RocksKeyValue>(new RocksKeyValue(std::move(impl)));
}

Result<void> RocksKeyValue::sync_mark() { return impl_->sync_mark(); }
Result<void> RocksKeyValue::reopen_writable() { return impl_->open_writable(); }
bool RocksKeyValue::read_only() const { return impl_->read_only(); }

std::optional<Result<std::optional<std::string>>> RocksKeyValue::try_get(std::string_view key) {
  bool unknown = false;
  auto found = impl_->read(key, rocksdb::kBlockCacheTier, unknown);
  if (unknown) return std::nullopt;
  return found;
}

Task<Result<std::optional<std::string>>> RocksKeyValue::get(std::string key) {
  auto at_once = try_get(key);
  if (at_once) co_return std::move(*at_once);
  auto found = co_await impl_->pool().run([this, &key] {
    bool unknown = false;
    return impl_->read(key, rocksdb::kReadAllTier, unknown);
  });
  co_return found;
}

Task<Result<Row>> RocksKeyValue::get_hot(std::string key) {
  const std::uint64_t version = impl_->versions().of(key);  // before it is read: what is written meanwhile is another
  RowCache* const hot = impl_->hot_rows();
  if (hot != nullptr)
    if (Row row = hot->find(key, version)) co_return row;
  auto found = co_await get(key);
  if (!found) co_return found.error();
  if (!*found) co_return Row();
  Row row = std::make_shared<const std::string>(std::move(**found));
  if (hot != nullptr) hot->keep(std::move(key), row, version);
  co_return row;
}

Task<Result<Page>> RocksKeyValue::scan(ScanRequest request) {
  auto page = co_await impl_->pool().run([this, &request] { return impl_->scan(request); });
  co_return page;
}

Result<void> RocksKeyValue::submit(Submission& submission) { return impl_->submit(submission); }
void RocksKeyValue::watch(char table, std::function<void()> changed) {
  impl_->versions().watch(table, std::move(changed));
}

std::uint64_t RocksKeyValue::latest_sequence() const { return impl_->latest_sequence(); }
std::uint64_t RocksKeyValue::memory_bytes() const { return impl_->memory_bytes(); }

}  // namespace wherry::kv
