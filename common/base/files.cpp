#include "common/base/files.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "common/base/bytes.h"

namespace wherry {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

/// Calls `visit(name, is_folder)` until it gives an error. `folder` is null where opening failed, with errno saying
/// why.
template <class Visit>
Result<void> visit_entries(DIR* folder, const std::string& path, Visit&& visit) {
  if (folder == nullptr) return system_error(errno, "list " + path);
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(folder);  // NOLINT(concurrency-mt-unsafe): the stream is our own
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    Result<void> visited = visit(name, entry->d_type == DT_DIR);
    if (!visited) return visited;
  }
  if (errno != 0) return system_error(errno, "list " + path);
  return {};
}

/// Goes down by descriptors: a folder that becomes a link meanwhile leads nowhere.
class TreeRemover {
 public:
  explicit TreeRemover(const std::string& path) : path_(path) {}

  Result<void> remove(int parent, const std::string& name, std::size_t depth) {
    if (depth > kMaxTreeDepth || ++entries_ > kMaxTreeEntries)
      return Error(ErrorKind::kIo, "{} holds more than {} entries or is deeper than {} folders: remove it by hand",
                   path_, kMaxTreeEntries, kMaxTreeDepth);
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR) return system_error(errno, "remove " + path_);
    const int opened = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0) return system_error(errno, "open " + path_);
    const Folder folder(::fdopendir(opened), ::closedir);  // takes the descriptor; fails only without memory
    auto emptied = visit_entries(folder.get(), path_, [&](const std::string& below, bool) {
      return remove(::dirfd(folder.get()), below, depth + 1);
    });
    if (!emptied) return emptied;
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return system_error(errno, "remove " + path_);
    return {};
  }

 private:
  const std::string& path_;
  std::size_t entries_ = 0;
};

}  // namespace

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
  while (fd < 0 && errno == EINTR);
  if (fd >= 0) return UniqueFd(fd);
  const int why = errno;
  Error error = system_error(why, "open " + path);
  errno = why;
  return error;
}

Result<void> write_all(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error(errno, "write a blob");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<std::size_t> read_all(int fd, std::span<std::byte> into, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0) {
      if (errno == EINTR) continue;
      return system_error(errno, "read a blob");
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::string> read_small_file(const std::string& path, std::size_t most) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return Error(ErrorKind::kNotFound, "{}: is not there", path);
  if (!file) return system_error(errno, "open " + path);
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {  // read(2): a pipe has no offsets
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "read " + path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > most) return Error(ErrorKind::kTooLarge, "{}: over {} bytes", path, most);
  text.resize(size);
  return text;
}

Result<std::uint64_t> regular_file_size(int fd, const std::string& path) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return system_error(errno, "stat " + path);
  if (!S_ISREG(about.st_mode)) return Error(ErrorKind::kCorrupt, "{} is not a regular file", path);
  return static_cast<std::uint64_t>(about.st_size);
}

Result<void> sync_folder(const std::string& path) {
  auto folder = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!folder) return std::move(folder.error());
  if (::fsync(folder->get()) != 0) return system_error(errno, "sync " + path);
  return {};
}

Result<bool> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return true;
  const int error = errno;
  struct stat about{};
  if (error == EEXIST && ::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) return false;
  return system_error(error == EEXIST ? ENOTDIR : error, "make the folder " + path);
}

Result<bool> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return system_error(errno, "rename " + from + " to " + to);
}

Result<bool> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return system_error(errno, "remove " + path);
}

Result<void> remove_tree(const std::string& path) {
  TreeRemover remover(path);
  return remover.remove(AT_FDCWD, path, 0);
}

Result<void> replace_secret_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new";
  auto removed = remove_file(temporary);
  if (!removed) return removed.error();
  auto file = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file) return file.error();
  auto written = write_all(file->get(), as_bytes(content), 0);
  if (!written) return written;
  if (::fsync(file->get()) != 0) return system_error(errno, "sync " + temporary);
  auto renamed = rename_file(temporary, path);
  if (!renamed) return renamed.error();
  return sync_folder(path.substr(0, path.rfind('/')));
}

Result<void> for_each_entry(const std::string& path, const std::function<void(const std::string& name)>& visit) {
  const Folder folder(::opendir(path.c_str()), ::closedir);
  return visit_entries(folder.get(), path, [&](const std::string& name, bool) -> Result<void> {
    visit(name);
    return {};
  });
}

Result<void> for_each_file(const std::string& path, const std::function<void(const std::string& name)>& visit) {
  const Folder folder(::opendir(path.c_str()), ::closedir);
  return visit_entries(folder.get(), path, [&](const std::string& name, bool is_folder) -> Result<void> {
    if (!is_folder) visit(name);
    return {};
  });
}

}  // namespace wherry
