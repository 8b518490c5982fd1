#include "common/store/file_closer.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace wherry::store {

FileCloser::FileCloser() : thread_([this] { serve(); }) {}

FileCloser::~FileCloser() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_one();
  thread_.join();
}

void FileCloser::close_later(UniqueFd file) {
  {
    const std::lock_guard lock(mutex_);
    files_.push_back(std::move(file));
  }
  filled_.notify_one();
}

void FileCloser::serve() {
  ::pthread_setname_np(::pthread_self(), "file-closer");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the first loop's
  std::unique_lock lock(mutex_);
  while (true) {
    filled_.wait(lock, [this] { return !files_.empty() || ending_; });
    if (files_.empty()) return;
    std::vector<UniqueFd> closing = std::exchange(files_, {});
    lock.unlock();
    closing.clear();
    lock.lock();
  }
}

}  // namespace wherry::store
