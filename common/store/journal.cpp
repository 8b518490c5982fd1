#include "common/store/journal.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <string_view>
#include <system_error>

#include "common/base/files.h"

namespace wherry::store {
namespace {

constexpr std::size_t kMaxOptionsBytes = std::size_t{1} << 14;

}  // namespace

bool has_ordered_journal(const std::string& directory) {
  struct statfs system{};
  if (::statfs(directory.c_str(), &system) != 0 || system.f_type != EXT4_SUPER_MAGIC) return false;
  struct stat about{};
  if (::stat(directory.c_str(), &about) != 0) return false;

  std::error_code error;
  const auto link = fmt::format("/sys/dev/block/{}:{}", major(about.st_dev), minor(about.st_dev));
  const std::string device = std::filesystem::read_symlink(link, error).filename().string();
  if (error || device.empty()) return false;
  // The journal in inode 8 of the device itself; another device's has that one's name.
  if (::access(fmt::format("/proc/fs/jbd2/{}-8", device).c_str(), F_OK) != 0) return false;

  auto options = read_small_file(fmt::format("/proc/fs/ext4/{}/options", device), kMaxOptionsBytes);
  if (!options) return false;
  const auto has = [&options](std::string_view option) {
    const auto is_it = [option](auto line) { return std::ranges::equal(line, option); };
    return std::ranges::any_of(std::views::split(*options, '\n'), is_it);
  };
  return has("data=ordered") && has("barrier") && !has("journal_async_commit");
}

}  // namespace wherry::store
