#include "common/kv/high_water.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "common/base/log.h"

namespace wherry::kv {
namespace {

constexpr std::string_view kMagic = "wherryHW";
constexpr off_t kSlotDistance = 4096;
constexpr std::size_t kSlotBytes = kMagic.size() + 6 * sizeof(std::uint64_t);

struct Slot {
  std::uint64_t generation = 0;
  Mark mark;
};

std::string encode(const Slot& slot) {
  std::string bytes(kMagic);
  for (const std::uint64_t value : {slot.generation, slot.mark.sequence, slot.mark.manifest.number,
                                    slot.mark.manifest.bytes, slot.mark.manifest.checksum})
    append_be64(bytes, value);
  append_be64(bytes, XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

std::optional<Slot> decode(std::string_view bytes) {
  if (bytes.size() != kSlotBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  const std::uint64_t checksum = XXH3_64bits(bytes.data(), kSlotBytes - sizeof(std::uint64_t));
  bytes.remove_prefix(kMagic.size());
  Slot slot;
  for (std::uint64_t* value : {&slot.generation, &slot.mark.sequence, &slot.mark.manifest.number,
                               &slot.mark.manifest.bytes, &slot.mark.manifest.checksum})
    *value = *take_be64(bytes);
  if (*take_be64(bytes) != checksum) return std::nullopt;
  return slot;
}

Result<std::optional<Slot>> newest_slot(int fd, const std::string& path) {
  std::optional<Slot> newest;
  for (const off_t offset : {off_t{0}, kSlotDistance}) {
    std::array<char, kSlotBytes> bytes{};
    const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), offset);
    if (got < 0) return system_error(errno, "read " + path);
    const auto slot = decode({bytes.data(), static_cast<std::size_t>(got)});
    if (slot && (!newest || slot->generation > newest->generation)) newest = slot;
  }
  return newest;
}

}  // namespace

Result<std::optional<Mark>> HighWater::read(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::optional<Mark>();
  if (!file) return system_error(errno, "open " + path);
  auto slot = newest_slot(file.get(), path);
  if (!slot) return slot.error();
  return *slot ? std::optional((*slot)->mark) : std::nullopt;
}

Result<std::unique_ptr<HighWater>> HighWater::open(const std::string& path, const Mark& mark) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return system_error(errno, "open " + path);
  auto before = newest_slot(file.get(), path);
  if (!before) return before.error();
  std::unique_ptr<HighWater> made(new HighWater(path, std::move(file), *before ? (*before)->generation : 0));
  made->mark_ = mark;
  for (int slot = 0; slot < 2; ++slot) {
    auto written = made->write();
    if (!written) return written.error();
    auto synced = made->sync();  // one after the other: a whole slot is there at any time
    if (!synced) return synced.error();
  }
  auto named = sync_folder(std::filesystem::path(path).parent_path().string());
  if (!named) return named.error();
  return made;
}

Result<void> HighWater::write() {
  const std::string bytes = encode({++generation_, mark_});
  const off_t offset = generation_ % 2 == 0 ? 0 : kSlotDistance;
  ssize_t put = 0;
  do {
    put = ::pwrite(file_.get(), bytes.data(), bytes.size(), offset);
  } while (put < 0 && errno == EINTR);
  if (put < 0) return system_error(errno, "write " + path_);
  if (put != static_cast<ssize_t>(bytes.size())) return Error(ErrorKind::kIo, "write {}: cut short", path_);
  unsynced_ = true;
  return {};
}

void HighWater::write_or_warn() {
  const Result<void> written = write();
  if (written || warned_) return;
  warned_ = true;
  log::warn("a loss at the end of the metadata store may not be noticed", {{"error", written.error().to_string()}});
}

void HighWater::advance(std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  if (sequence <= mark_.sequence) return;
  mark_.sequence = sequence;
  write_or_warn();
}

void HighWater::set_manifest(const ManifestMark& manifest) {
  const std::lock_guard lock(mutex_);
  if (manifest == mark_.manifest) return;
  mark_.manifest = manifest;
  write_or_warn();
}

Result<void> HighWater::sync() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(unsynced_, false)) return {};
  }
  if (::fdatasync(file_.get()) != 0) return system_error(errno, "sync " + path_);
  return {};
}

Mark HighWater::mark() const {
  const std::lock_guard lock(mutex_);
  return mark_;
}

}  // namespace wherry::kv
