#include "common/kv/rocks_batch.h"

#include <rocksdb/perf_level.h>

#include <memory>
#include <utility>

#include "common/base/check.h"

namespace wherry::kv {
namespace {

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

class SilentLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_silent_log() { return std::make_shared<SilentLog>(); }

Error rocks_error(const rocksdb::Status& status, std::string_view what) {
  const ErrorKind kind = status.IsCorruption() ? ErrorKind::kCorrupt
                         : status.IsNoSpace()  ? ErrorKind::kNoSpace
                                               : ErrorKind::kIo;
  return Error(kind, "{}: {}", what, status.ToString());
}

std::string end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

Transaction& RocksBatch::begin_body() {
  // RocksDB counts each comparison of keys in a thread's own counters, which nobody reads.
  thread_local const bool quiet = (rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable), true);
  static_cast<void>(quiet);
  overlay_.begin_body();
  body_bytes_ = 0;
  failure_.reset();
  return *this;
}

Result<bool> RocksBatch::keep() {
  if (failure_) {
    roll_back();
    return *std::exchange(failure_, std::nullopt);
  }
  return overlay_.body_wrote();
}

void RocksBatch::roll_back() { overlay_.undo_body(); }

std::size_t RocksBatch::batch_bytes() const { return overlay_.bytes(); }

Result<void> RocksBatch::write(bool sync) {
  rocksdb::Status status;
  for (const Overlay::Row* row : overlay_.range({}, {}))  // by key: each is put in next to the one before it
    if (status.ok())
      status = row->erased ? batch_.Delete(slice(row->key)) : batch_.Put(slice(row->key), slice(row->value));
  rocksdb::WriteOptions options;
  options.sync = sync;
  if (status.ok()) status = db_.Write(options, &batch_);
  versions_.wrote(overlay_.tables());
  drop();
  if (!status.ok()) return rocks_error(status, "write to the metadata store");
  if (sync) acknowledged_.advance(db_.GetLatestSequenceNumber());
  return {};
}

void RocksBatch::drop() {
  batch_.Clear();
  overlay_.clear();
}

Result<std::optional<std::string>> RocksBatch::get(std::string_view key) {
  if (const Overlay::Row* row = overlay_.find(key); row != nullptr)
    return row->erased ? std::optional<std::string>() : std::optional(std::string(row->value));
  std::string value;
  const rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.ok()) return std::optional(std::move(value));
  if (status.IsNotFound()) return std::optional<std::string>();
  return rocks_error(status, "read the metadata store");
}

Result<bool> RocksBatch::exists(std::string_view key) {
  if (const Overlay::Row* row = overlay_.find(key); row != nullptr) return !row->erased;
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), db_.DefaultColumnFamily(), slice(key), &value);
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return rocks_error(status, "read the metadata store");
}

bool RocksBatch::may_write(std::size_t bytes) {
  WHERRY_CHECK(!scanning_);  // a write would pull the rows away from under the scan
  body_bytes_ += bytes;
  if (body_bytes_ > kMaxBodyBytes && !failure_)
    failure_ = Error(ErrorKind::kTooLarge, "one transaction may write at most {} bytes", kMaxBodyBytes);
  return !failure_;
}

void RocksBatch::put(std::string_view key, std::string_view value) {
  if (may_write(key.size() + value.size())) overlay_.put(key, value);
}

void RocksBatch::erase(std::string_view key) {
  if (may_write(key.size())) overlay_.erase(key);
}

Result<void> RocksBatch::scan(std::string_view prefix, std::string_view after, const Visitor& visit) {
  const std::string end = end_of_prefix(prefix);
  const rocksdb::Slice upper = slice(end);
  rocksdb::ReadOptions options;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> iterator(db_.NewIterator(options));
  const bool was_scanning = std::exchange(scanning_, true);
  struct Restore {
    bool& flag;
    bool value;
    ~Restore() { flag = value; }
  } const restore{scanning_, was_scanning};
  const auto written = overlay_.range(prefix, after);
  auto next = written.begin();
  bool goes_on = true;
  /// What was written and sorts before `key`; all of it when that is null.
  const auto visit_written = [&](const std::string_view* key) {
    for (; goes_on && next != written.end() && (key == nullptr || (*next)->key < *key); ++next)
      if (!(*next)->erased) goes_on = visit((*next)->key, (*next)->value);
  };
  auto visited = visit_range(*iterator, prefix, after, [&](std::string_view key, std::string_view value) {
    visit_written(&key);
    const bool hidden = next != written.end() && (*next)->key == key;
    if (hidden) {
      if (goes_on && !(*next)->erased) goes_on = visit(key, (*next)->value);
      ++next;
    } else if (goes_on) {
      goes_on = visit(key, value);
    }
    return goes_on;
  });
  if (visited) visit_written(nullptr);
  return visited;
}

}  // namespace wherry::kv
