#include "common/bundle/offline.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/files.h"
#include "common/daemon/daemon.h"

namespace wherry::bundle {
namespace {

/// The ordered store's own lock, looked at without taking it. Source: RocksDB, PosixEnv::LockFile (fcntl).
Result<void> check_unused(const std::string& directory) {
  auto file = open_file(directory + "/names/LOCK", O_RDWR);
  if (!file) return {};  // nobody ever had it open, or opening says why
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(file->get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return {};
  return Error(ErrorKind::kUnavailable, "process {} runs on {}: stop it first, and start it again afterwards",
               lock.l_pid, directory);
}

}  // namespace

Task<Result<std::unique_ptr<registry::Storage>>> open_offline(std::string directory, Pool& disk, Metrics& metrics) {
  auto unused = co_await disk.run([&directory] { return check_unused(directory); });
  if (!unused) co_return unused.error();
  registry::StorageOptions with;
  with.directory = std::move(directory);
  with.on_fatal = [](const Error& error) { Daemon::die(error); };
  co_return co_await registry::Storage::open(std::move(with), disk, metrics);
}

int exit_code(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kIo:
    case ErrorKind::kNoSpace:
    case ErrorKind::kCorrupt:
    case ErrorKind::kUnavailable: return kExitIo;
    case ErrorKind::kNotFound:
    case ErrorKind::kUnsupported: return kExitUsage;
    default: return 1;
  }
}

}  // namespace wherry::bundle
