// Core files: whether a crash may write what this process holds in memory to the disk.
#pragma once

namespace wherry {

/// From now on a crash leaves no core file, whatever the limits and the kernel's core_pattern say, and only root
/// attaches to this process or reads its memory: keys and passwords are in it. First thing in a process, before it has
/// threads.
void forbid_core_files();

/// Undoes that: limits are as the process found them. Before it has threads.
void allow_core_files();

}  // namespace wherry
