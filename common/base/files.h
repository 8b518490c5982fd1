// System calls on files as Results. All of them may block.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace wherry {

/// Opens with O_CLOEXEC and O_NOFOLLOW. After an error errno still says why.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0600);
/// Writes all of it, going on after short writes.
Result<void> write_all(int fd, std::span<const std::byte> bytes, std::uint64_t offset);
/// Reads until `into` is full or the file ends; gives how much that was.
Result<std::size_t> read_all(int fd, std::span<std::byte> into, std::uint64_t offset);
/// The whole of a file that is small by its nature. Errors: kNotFound when it is not there, kTooLarge when it has more
/// than `most` bytes, kIo.
Result<std::string> read_small_file(const std::string& path, std::size_t most);
/// Size of a regular file. Errors: kCorrupt when it is none.
Result<std::uint64_t> regular_file_size(int fd, const std::string& path);

/// Syncs a folder, so that the names in it are on the disk.
Result<void> sync_folder(const std::string& path);
/// Makes a folder; true when it was not there.
Result<bool> make_folder(const std::string& path);
/// False when there was nothing to rename.
Result<bool> rename_file(const std::string& from, const std::string& to);
/// False when there was nothing to remove.
Result<bool> remove_file(const std::string& path);
/// Removes what is there, a folder with all that it holds; a link is removed and never followed. Nothing there is fine.
/// Errors: kIo, also when it is deeper or holds more than the bounds below: then a part of it is gone.
Result<void> remove_tree(const std::string& path);
constexpr std::size_t kMaxTreeDepth = 32;
constexpr std::size_t kMaxTreeEntries = 100'000;
/// Writes a small file that only its owner may read (0600), synced, in the place of what is there: after a crash there
/// is the one or the other.
Result<void> replace_secret_file(const std::string& path, std::string_view content);
/// Calls `visit` with each name in a folder.
Result<void> for_each_entry(const std::string& path, const std::function<void(const std::string& name)>& visit);
/// The same, without names of folders.
Result<void> for_each_file(const std::string& path, const std::function<void(const std::string& name)>& visit);

}  // namespace wherry
