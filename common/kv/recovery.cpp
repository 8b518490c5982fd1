#include "common/kv/recovery.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/kv/rocks_batch.h"

namespace wherry::kv {
namespace {

constexpr std::string_view kManifestPrefix = "MANIFEST-";
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

std::string mark_path(const std::string& path) { return path + ".mark"; }

std::string manifest_path(const std::string& path, std::uint64_t number) {
  return fmt::format("{}/{}{:06}", path, kManifestPrefix, number);
}

/// "MANIFEST-000012" or "/MANIFEST-000012" -> 12.
std::optional<std::uint64_t> manifest_number(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  if (!name.starts_with(kManifestPrefix)) return std::nullopt;
  return parse_decimal(without_leading_zeros(name.substr(kManifestPrefix.size())));
}

/// XXH3-64 of the first `bytes` of a file; nothing when it is shorter.
Result<std::optional<std::uint64_t>> checksum_of(const std::string& path, std::uint64_t bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::optional<std::uint64_t>();
  if (!file) return system_error(errno, "open " + path);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  WHERRY_CHECK(state != nullptr && XXH3_64bits_reset(state.get()) == XXH_OK);
  std::vector<char> buffer(kReadBytes);
  for (std::uint64_t done = 0; done < bytes;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes - done));
    const ssize_t got = ::pread(file.get(), buffer.data(), wanted, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "read " + path);
    if (got == 0) return std::optional<std::uint64_t>();
    XXH3_64bits_update(state.get(), buffer.data(), static_cast<std::size_t>(got));
    done += static_cast<std::uint64_t>(got);
  }
  return std::optional<std::uint64_t>(XXH3_64bits_digest(state.get()));
}

Error lost(const std::string& path, std::string_view what) {
  return Error(ErrorKind::kCorrupt,
               "{}; acknowledged data would be lost, so nothing was opened or changed: bring {} and {} back from one "
               "backup, or remove {} to go on with what is left",
               what, path, mark_path(path), mark_path(path));
}

Result<void> check_manifest(const std::string& path, const ManifestMark& mark) {
  if (mark.number == 0) return {};
  std::string name;
  std::ifstream current(path + "/CURRENT");
  if (!std::getline(current, name)) return lost(path, fmt::format("{}/CURRENT is missing or empty", path));
  const auto number = manifest_number(name);
  // A younger manifest than the mark saw was begun just before the last end.
  if (number && *number > mark.number) return {};
  if (number != mark.number)
    return lost(path, fmt::format("{}/CURRENT names \"{}\" where manifest {} was in use", path, name, mark.number));
  const std::string file = manifest_path(path, mark.number);
  auto checksum = checksum_of(file, mark.bytes);
  if (!checksum) return checksum.error();
  if (!*checksum) return lost(path, fmt::format("{} is missing or cut short", file));
  if (**checksum != mark.checksum) return lost(path, fmt::format("{} is damaged", file));
  return {};
}

/// Keeps other processes out, as an open store does: one that is written to meanwhile would look damaged.
class StoreLock {
 public:
  explicit StoreLock(std::string path) : path_(std::move(path)) {}
  ~StoreLock() {
    if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
  }
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

  Result<void> take() {
    const rocksdb::Status status = rocksdb::Env::Default()->LockFile(path_ + "/LOCK", &lock_);
    if (!status.ok()) return rocks_error(status, "open the metadata store " + path_);
    return {};
  }

 private:
  const std::string path_;
  rocksdb::FileLock* lock_ = nullptr;
};

/// Sees which log file the last entry that could be read is in.
class LogReader final : public rocksdb::WalFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long /*number*/, const std::string& file,
                                     const rocksdb::WriteBatch& /*batch*/, rocksdb::WriteBatch* /*changed*/,
                                     bool* /*is_changed*/) override {
    last_file_ = file;
    return WalProcessingOption::kContinueProcessing;
  }
  const char* Name() const override { return "wherry-log-reader"; }
  const std::string& last_file() const { return last_file_; }

 private:
  std::string last_file_;
};

Result<void> check_log(const std::string& path, rocksdb::Options options, std::uint64_t acknowledged) {
  LogReader reader;
  options.create_if_missing = false;
  options.wal_filter = &reader;
  options.listeners.clear();
  options.info_log = make_silent_log();
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, &opened);
  if (!status.ok()) return rocks_error(status, "read the metadata store " + path);
  const std::unique_ptr<rocksdb::DB> db(opened);
  const std::uint64_t reached = db->GetLatestSequenceNumber();
  if (reached >= acknowledged) return {};
  const std::string where = reader.last_file().empty() ? fmt::format("no entry of {}/*.log can be read", path)
                                                       : fmt::format("{} can be read no further", reader.last_file());
  return lost(path, fmt::format("the log of the metadata store is damaged or missing: {}, which is entry {} of {}",
                                where, reached, acknowledged));
}

}  // namespace

Result<void> check_recovery(const std::string& path, const rocksdb::Options& options) {
  StoreLock lock(path);
  if (std::filesystem::exists(path + "/LOCK"))
    if (auto taken = lock.take(); !taken) return taken;
  auto mark = HighWater::read(mark_path(path));
  if (!mark) return mark.error();
  if (!*mark) {
    if (std::filesystem::exists(path + "/CURRENT"))
      log::warn("the metadata store has no mark to be checked against: if its end is lost, this start does not notice",
                {{"file", mark_path(path)}});
    return {};
  }
  auto manifest = check_manifest(path, (*mark)->manifest);
  if (!manifest) return manifest;
  return check_log(path, options, (*mark)->sequence);
}

Result<void> MarkKeeper::begin(rocksdb::DB& db) {
  Mark mark;
  mark.sequence = db.GetLatestSequenceNumber();
  {
    const std::lock_guard lock(mutex_);
    auto opened = HighWater::open(mark_path(path_), mark);
    if (!opened) return opened.error();
    high_water_ = std::move(*opened);
  }
  follow_manifest(db);
  return high_water_->sync();
}

void MarkKeeper::end(rocksdb::DB& db) {
  follow_manifest(db);
  const Result<void> synced = high_water_->sync();
  if (!synced) log::warn("the mark of the metadata store", {{"error", synced.error().to_string()}});
}

void MarkKeeper::follow_manifest(rocksdb::DB& db) {
  const std::lock_guard lock(mutex_);
  if (!high_water_) return;
  std::vector<std::string> files;
  ManifestMark mark;
  // Gives the size that is synced, while another thread may be adding to the file.
  const rocksdb::Status status = db.GetLiveFiles(files, &mark.bytes, /*flush_memtable=*/false);
  for (const std::string& file : files)
    if (const auto number = manifest_number(file)) mark.number = *number;
  if (!status.ok() || mark.number == 0) return;
  auto checksum = checksum_of(manifest_path(path_, mark.number), mark.bytes);
  if (!checksum || !*checksum) return;  // the mark stays behind; a next look may see
  mark.checksum = **checksum;
  high_water_->set_manifest(mark);
}

}  // namespace wherry::kv
