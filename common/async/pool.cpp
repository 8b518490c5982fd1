#include "common/async/pool.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace wherry {

Pool::Pool(std::string name, std::size_t threads) : name_(std::move(name)) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    while (idle_ != nullptr) wake_one();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool Pool::enqueue(Job& job) {
  const std::lock_guard lock(mutex_);
  if (queued_ >= kQueueBound) return false;
  (last_ != nullptr ? last_->next : first_) = &job;
  last_ = &job;
  ++queued_;
  if (idle_ != nullptr) wake_one();
  return true;
}

void Pool::wake_one() {
  Sleeper& last = *std::exchange(idle_, idle_->below);
  last.awake = true;
  last.woken.notify_one();
}

void Pool::serve() {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the first loop's
  Sleeper self;
  std::unique_lock lock(mutex_);
  while (true) {
    while (first_ == nullptr && !ending_) {
      self.awake = false;
      self.below = std::exchange(idle_, &self);
      self.woken.wait(lock, [&] { return self.awake; });  // whoever wakes it took it off the pile
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
