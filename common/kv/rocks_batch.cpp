#include "common/kv/rocks_batch.h"

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
  batch_.SetSavePoint();
  count_before_ = count();
  body_bytes_ = 0;
  failure_.reset();
  return *this;
}

Result<bool> RocksBatch::keep() {
  if (failure_) {
    roll_back();
    return *std::exchange(failure_, std::nullopt);
  }
  const rocksdb::Status status = batch_.PopSavePoint();
  WHERRY_CHECK(status.ok());
  return wrote_something();
}

void RocksBatch::roll_back() {
  // Rolling back builds the index of the whole batch anew, so it is done only where there is something to undo.
  const rocksdb::Status status = wrote_something() ? batch_.RollbackToSavePoint() : batch_.PopSavePoint();
  WHERRY_CHECK(status.ok());
}

std::uint32_t RocksBatch::count() const {
  return static_cast<std::uint32_t>(const_cast<rocksdb::WriteBatchWithIndex&>(batch_).GetWriteBatch()->Count());
}

std::size_t RocksBatch::batch_bytes() const { return count() == 0 ? 0 : batch_.GetDataSize(); }

Result<void> RocksBatch::write(bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = db_.Write(options, batch_.GetWriteBatch());
  versions_.wrote(written_);
  drop();
  if (!status.ok()) return rocks_error(status, "write to the metadata store");
  if (sync) acknowledged_.advance(db_.GetLatestSequenceNumber());
  return {};
}

void RocksBatch::drop() {
  batch_.Clear();
  written_.reset();
}

Result<std::optional<std::string>> RocksBatch::get(std::string_view key) {
  std::string value;
  const rocksdb::Status status = batch_.GetFromBatchAndDB(&db_, rocksdb::ReadOptions(), slice(key), &value);
  if (status.ok()) return std::optional(std::move(value));
  if (status.IsNotFound()) return std::optional<std::string>();
  return rocks_error(status, "read the metadata store");
}

Result<bool> RocksBatch::exists(std::string_view key) {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = batch_.GetFromBatchAndDB(&db_, rocksdb::ReadOptions(), slice(key), &value);
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return rocks_error(status, "read the metadata store");
}

bool RocksBatch::may_write(std::size_t bytes) {
  WHERRY_CHECK(!scanning_);  // a write would pull the iterator's entries away
  body_bytes_ += bytes;
  if (body_bytes_ > kMaxBodyBytes && !failure_)
    failure_ = Error(ErrorKind::kTooLarge, "one transaction may write at most {} bytes", kMaxBodyBytes);
  return !failure_;
}

void RocksBatch::wrote(const rocksdb::Status& status) {
  if (!status.ok() && !failure_) failure_ = rocks_error(status, "gather a transaction");
}

void RocksBatch::put(std::string_view key, std::string_view value) {
  if (!may_write(key.size() + value.size())) return;
  written_.set(table_of(key));
  wrote(batch_.Put(slice(key), slice(value)));
}

void RocksBatch::erase(std::string_view key) {
  if (!may_write(key.size())) return;
  written_.set(table_of(key));
  wrote(batch_.Delete(slice(key)));
}

Result<void> RocksBatch::scan(std::string_view prefix, std::string_view after, const Visitor& visit) {
  const std::string end = end_of_prefix(prefix);
  const rocksdb::Slice upper = slice(end);
  rocksdb::ReadOptions options;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> iterator(batch_.NewIteratorWithBase(
      db_.DefaultColumnFamily(), db_.NewIterator(options), end.empty() ? nullptr : &options));
  const bool was_scanning = std::exchange(scanning_, true);
  struct Restore {
    bool& flag;
    bool value;
    ~Restore() { flag = value; }
  } const restore{scanning_, was_scanning};
  return visit_range(*iterator, prefix, after, visit);
}

}  // namespace wherry::kv
