#include "common/async/pool.h"

#include <pthread.h>
#include <signal.h>

namespace wherry {

Pool::Pool(std::string name, std::size_t threads) : name_(std::move(name)) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Pool::enqueue(Job& job) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (queued_ >= kQueueBound) return false;
    (last_ != nullptr ? last_->next : first_) = &job;
    last_ = &job;
    ++queued_;
    wake = idle_ > 0;
  }
  if (wake) filled_.notify_one();
  return true;
}

void Pool::serve() {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the first loop's
  std::unique_lock lock(mutex_);
  while (true) {
    while (first_ == nullptr && !ending_) {
      ++idle_;
      filled_.wait(lock);
      --idle_;
    }
    if (first_ == nullptr) return;
    Job* job = first_;
    first_ = job->next;
    if (first_ == nullptr) last_ = nullptr;
    --queued_;
    lock.unlock();
    job->run(job);  // ends the job's life: its coroutine may go on at once on its loop
    lock.lock();
  }
}

}  // namespace wherry
