// What the file system promises about the order in which changes reach the disk.
#pragma once

#include <string>

namespace wherry::store {

/// True when `directory` lies on an ext4 whose journal is on the same device, with data=ordered and barriers, as it
/// comes: then changes of names and sizes reach the disk in the order in which they were made, wholly or not at all,
/// and fsync(2) of a file brings all that were made before, its new name too. False for all else, and when the kernel
/// does not tell (/proc/fs and /sys/dev are hidden): ext2 and an ext4 without a journal give the same number by
/// statfs(2), with an external journal or journal_async_commit a name may get ahead of what is in the file.
bool has_ordered_journal(const std::string& directory);

}  // namespace wherry::store
