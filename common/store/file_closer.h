// FileCloser: closes files whose last close frees their blocks, which may take the disk many milliseconds.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"

namespace wherry::store {

/// A thread that closes what it is handed, so that a loop never waits for it.
class FileCloser {
 public:
  FileCloser();
  /// Closes what is left.
  ~FileCloser();
  FileCloser(const FileCloser&) = delete;
  FileCloser& operator=(const FileCloser&) = delete;

  void close_later(UniqueFd file);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<UniqueFd> files_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace wherry::store
