#include "common/registry/storage.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <unordered_set>

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::registry {
namespace {

constexpr std::chrono::milliseconds kSpaceWatch{250};
/// A power cut leaves the mark of the names this much behind, and a little.
constexpr std::chrono::milliseconds kMarkSync{1000};

Result<void> make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return system_error(error.value(), "make the data directory " + path);
  return {};
}

}  // namespace

Storage::~Storage() {
  blobs_.reset();
  names_.reset();
}

Result<void> Storage::open_names() {
  kv::RocksOptions options;
  options.block_cache_bytes = static_cast<std::size_t>(options_.block_cache_bytes);
  options.before_commit = [this] { return space_->admit_metadata(); };
  options.on_fatal = options_.on_fatal;
  const std::string path = options_.directory + "/names";
  const auto room = space_->admit_metadata();
  // With nothing stored there is nothing to serve read-only.
  if (!room && !std::filesystem::exists(path + "/CURRENT")) return room;
  auto opened =
      room ? kv::RocksKeyValue::open(path, disk_, options) : kv::RocksKeyValue::open_read_only(path, disk_, options);
  if (!opened) return opened.error();
  if (!room) log::warn("no room on the disk: started read-only, pulls only", {{"why", room.error().message()}});
  names_ = std::move(*opened);
  return {};
}

Task<Result<std::vector<std::string>>> Storage::upload_ids() {
  std::vector<std::string> ids;
  const std::string prefix = tables::uploads_prefix();
  std::string after;
  while (true) {
    auto page = co_await names_->scan(kv::ScanRequest(prefix, after));
    if (!page) co_return page.error();
    for (const auto& [key, value] : page->entries) ids.push_back(key.substr(prefix.size()));
    if (!page->more) break;
    after = page->entries.back().first;
  }
  co_return ids;
}

Task<Result<std::unique_ptr<Storage>>> Storage::open(StorageOptions options, Pool& disk, Metrics& metrics) {
  std::unique_ptr<Storage> storage(new Storage(std::move(options), disk));
  Storage* self = storage.get();
  auto prepared = co_await disk.run([self]() -> Result<void> {
    auto made = make_directory(self->options_.directory);
    if (!made) return made;
    auto space = store::SpaceGuard::open(self->options_.directory, [&] {
      store::SpaceOptions with;
      with.low_water_bytes = self->options_.low_water_bytes;
      return with;
    }());
    if (!space) return space.error();
    self->space_ = std::move(*space);
    return self->open_names();
  });
  if (!prepared) co_return prepared.error();
  auto ids = co_await storage->upload_ids();
  if (!ids) co_return ids.error();
  auto opened = co_await disk.run([self, &ids]() -> Result<void> {
    const std::unordered_set<std::string> keep(ids->begin(), ids->end());
    store::BlobOptions with;
    with.loops = self->options_.loops;
    with.keep_upload = [&](std::string_view id) { return keep.contains(std::string(id)); };
    with.on_fatal = self->options_.on_fatal;
    auto blobs = store::BlobStore::open(self->options_.directory, self->disk_, std::move(with));
    if (!blobs) return blobs.error();
    self->blobs_ = std::move(*blobs);
    return {};
  });
  if (!opened) co_return opened.error();
  metrics.gauge("wherry_store_free_bytes", "Free space of the data directory's file system",
                [self] { return static_cast<double>(self->space_->space().free_bytes); });
  metrics.gauge("wherry_kv_memory_bytes", "Memory of the ordered store",
                [self] { return static_cast<double>(self->names_->memory_bytes()); });
  co_return std::move(storage);
}

void Storage::start() { scope_.spawn(watch_space()); }

Task<void> Storage::stop() {
  stopping_ = true;
  sleeper_.wake();
  co_await scope_.join();
}

Task<void> Storage::watch_space() {
  while (!stopping_) {
    auto kept = co_await disk_.run([this] { return tend(); });
    if (!kept) log::warn("the data directory could not be tended", {{"error", kept.error().to_string()}});
    if (stopping_) break;
    co_await sleeper_.sleep(kSpaceWatch);
  }
}

Result<void> Storage::tend() {
  auto tended = space_->maintain();
  if (!tended) return tended;
  if (names_->read_only()) {
    if (!space_->admit_metadata()) return {};
    auto reopened = names_->reopen_writable();
    if (reopened) log::info("there is room on the disk again: writes go on");
    return reopened;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - mark_synced_ < kMarkSync) return {};
  mark_synced_ = now;
  auto synced = names_->sync_mark();
  if (!synced && synced.error().kind() == ErrorKind::kIo && options_.on_fatal) options_.on_fatal(synced.error());
  return synced;
}

}  // namespace wherry::registry
