#include "node/clients/client_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "common/base/files.h"
#include "common/base/random.h"
#include "common/base/unique_fd.h"

namespace wherry::node {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kNewFileMode = 0644;

Error io_error(const fs::path& path, std::string_view what) {
  return Error(ErrorKind::kIo, "{}: {}", path.string(), system_error(errno, what).message());
}

/// A text that is on the disk, not yet at its place; gone with this object unless it was put there.
class StagedFile {
 public:
  StagedFile(StagedFile&& other) noexcept = default;
  ~StagedFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  /// `like` is the file whose owner and mode it gets, if that is there.
  static Result<StagedFile> write(const fs::path& target, const std::string& text, const fs::path& like) {
    StagedFile staged;
    staged.target_ = target;
    const auto temporary = target.parent_path() / ("." + target.filename().string() + "." + random_hex(8));
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return io_error(target, "write");
    staged.temporary_ = temporary;
    struct stat old{};
    const bool has_old = ::stat(like.c_str(), &old) == 0;
    if (has_old && ::fchown(fd.get(), old.st_uid, old.st_gid) != 0) return io_error(target, "keep the owner");
    if (::fchmod(fd.get(), has_old ? old.st_mode & 07777 : kNewFileMode) != 0) return io_error(target, "set the mode");
    if (auto written = write_all(fd.get(), std::as_bytes(std::span(text)), 0); !written)
      return io_error(target, "write");
    if (::fsync(fd.get()) != 0) return io_error(target, "sync");
    return staged;
  }

  Result<void> put() {
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return io_error(target_, "write");
    temporary_.clear();
    return sync_folder(target_.parent_path().string());
  }

 private:
  StagedFile() = default;
  fs::path target_;
  fs::path temporary_;
};

}  // namespace

Result<fs::path> ClientFiles::resolve(const std::string& path) const {
  std::error_code failed;
  const fs::path root = fs::weakly_canonical(root_, failed);
  const fs::path file = failed ? fs::path() : fs::weakly_canonical(real(path), failed);
  if (failed) return Error(ErrorKind::kIo, "{}: {}", real(path), failed.message());
  if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end())
    return Error(ErrorKind::kIo, "{}: a link leads out of {}", real(path), root_.string());
  return file;
}

Result<std::optional<std::string>> ClientFiles::read(const std::string& path) const {
  auto file = resolve(path);
  if (!file) return file.error();
  auto text = read_small_file(file->string(), kMaxBytes);
  if (text) return std::optional(std::move(*text));
  if (text.error().kind() == ErrorKind::kNotFound) return std::optional<std::string>();
  return text.error();
}

std::vector<std::string> ClientFiles::names_in(const std::string& folder) const {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator at(real(folder), failed), end; !failed && at != end; at.increment(failed))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool ClientFiles::exists(const std::string& path) const {
  std::error_code failed;
  return fs::exists(real(path), failed);
}

Result<void> ClientFiles::apply(const std::vector<FileEdit>& edits) const {
  std::vector<StagedFile> staged;
  std::vector<std::pair<const FileEdit*, fs::path>> removed;
  std::vector<fs::path> copies_done_with;
  for (const FileEdit& edit : edits) {
    if (!edit.changes()) continue;
    auto target = resolve(edit.path);
    if (!target) return target.error();
    const fs::path copy = target->string() + kCopySuffix;
    if (!edit.text) {
      if (::access(target->parent_path().c_str(), W_OK) != 0) return io_error(*target, "remove");
      removed.emplace_back(&edit, *target);
      continue;
    }
    std::error_code failed;
    fs::create_directories(target->parent_path(), failed);
    if (failed) return Error(ErrorKind::kIo, "{}: {}", target->parent_path().string(), failed.message());
    if (edit.old && edit.copy != FirstCopy::kNone) {
      auto first = read(edit.path + kCopySuffix);
      if (!first) return first.error();
      if (edit.copy == FirstCopy::kEnd && *first && **first == *edit.text) copies_done_with.push_back(copy);
      if (edit.copy == FirstCopy::kMake && !*first) {
        auto kept = StagedFile::write(copy, *edit.old, *target);
        if (!kept) return kept.error();
        staged.push_back(std::move(*kept));
      }
    }
    auto one = StagedFile::write(*target, *edit.text, *target);
    if (!one) return one.error();
    staged.push_back(std::move(*one));
  }
  for (StagedFile& one : staged)
    if (auto put = one.put(); !put) return put;
  for (const auto& [edit, target] : removed) {
    if (::unlink(target.c_str()) != 0 && errno != ENOENT) return io_error(target, "remove");
    if (edit->owns_folder && ::rmdir(target.parent_path().c_str()) == 0) continue;
    if (auto synced = sync_folder(target.parent_path().string()); !synced) return synced;
  }
  for (const fs::path& copy : copies_done_with) ::unlink(copy.c_str());
  return {};
}

}  // namespace wherry::node
