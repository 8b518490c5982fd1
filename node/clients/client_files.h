// ClientFiles: the files of a machine's clients, read and written below a root.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"

namespace wherry::node {

/// What an edit does about the copy of what a user's file was before its first change.
enum class FirstCopy {
  kNone,  ///< nothing: the file is ours
  kMake,  ///< makes it, unless there is one
  kEnd,   ///< removes it when the file is what it was
};

/// What becomes of one file.
struct FileEdit {
  std::string path;                 ///< as the client knows it, without the root
  std::optional<std::string> old;   ///< nothing: it is not there
  std::optional<std::string> text;  ///< nothing: it goes, and its folder with it when that is empty and `owns_folder`
  FirstCopy copy = FirstCopy::kNone;
  bool owns_folder = false;

  bool changes() const { return old != text; }
};

/// Paths are those that clients use; all of them are looked for below the root, and none is followed out of it.
class ClientFiles {
 public:
  /// A file of this kind that is longer is no such file.
  static constexpr std::size_t kMaxBytes = 1024 * 1024;
  /// What is put behind the name of a user's file for the copy of what it was before its first change.
  static constexpr const char* kCopySuffix = ".wherry-before";

  explicit ClientFiles(std::filesystem::path root) : root_(std::move(root)) {}

  /// Where a path leads on this machine.
  std::string real(const std::string& path) const { return (root_ / path.substr(1)).string(); }
  /// The text of a file; nothing when it is not there. Errors: kIo, kTooLarge, naming it.
  Result<std::optional<std::string>> read(const std::string& path) const;
  /// The names in a folder, in order; none when it is not there.
  std::vector<std::string> names_in(const std::string& folder) const;
  bool exists(const std::string& path) const;

  /// Makes the edits that change something: each new text is on the disk beside its target, with owner and mode of the
  /// old file, before the first takes its place. Errors: kIo, naming the file; nothing has changed when it is one that
  /// could not be written, for lack of a right or of room.
  Result<void> apply(const std::vector<FileEdit>& edits) const;

 private:
  /// The file that a path means, links followed. Errors: kIo when that is outside of the root.
  Result<std::filesystem::path> resolve(const std::string& path) const;

  std::filesystem::path root_;
};

}  // namespace wherry::node
