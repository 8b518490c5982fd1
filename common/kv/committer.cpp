#include "common/kv/committer.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

#include "common/base/failpoint.h"

namespace wherry::kv {

void Committer::List::push(Submission& submission) {
  submission.next_queued = nullptr;
  (last != nullptr ? last->next_queued : first) = &submission;
  last = &submission;
  ++size;
}

Submission* Committer::List::pop() {
  Submission* submission = first;
  if (submission == nullptr) return nullptr;
  first = submission->next_queued;
  if (first == nullptr) last = nullptr;
  --size;
  return submission;
}

Committer::Committer(CommitTarget& target, Callbacks callbacks)
    : target_(target), callbacks_(std::move(callbacks)), thread_([this] { serve(); }) {}

Committer::~Committer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_one();
  thread_.join();
}

Result<void> Committer::submit(Submission& submission) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    if (ending_) return Error(ErrorKind::kUnavailable, "the metadata store is closing");
    if (queue_.size >= kQueueBound)
      return Error(ErrorKind::kUnavailable, "{} transactions are waiting already; try again", kQueueBound);
    queue_.push(submission);
  }
  filled_.notify_one();
  return {};
}

Submission* Committer::take_queued() {
  const std::lock_guard lock(mutex_);
  return queue_.pop();
}

void Committer::serve() {
  ::pthread_setname_np(::pthread_self(), "committer");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the first loop's
  while (true) {
    Submission* first = nullptr;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return queue_.first != nullptr || ending_; });
      first = queue_.pop();
    }
    if (first == nullptr) return;
    Group group;
    run_bodies(*first, group);
    commit(group);
  }
}

void Committer::run_bodies(Submission& first, Group& group) {
  for (Submission* submission = &first; submission != nullptr;
       submission = group.full(target_) ? nullptr : take_queued()) {
    // Who ran before anything was written here depends on nothing of this group.
    List& list = target_.batch_bytes() == 0 ? group.independent : group.dependent;
    const bool succeeded = submission->apply(target_.begin_body());
    Result<bool> wrote = false;
    if (succeeded)
      wrote = target_.keep();
    else
      target_.roll_back();
    if (!wrote) {
      submission->fail(wrote.error());
      wrote = false;
    }
    (*wrote ? group.dependent : list).push(*submission);
    if (*wrote && submission->durability() == Durability::kSynced) group.sync = true;
  }
}

bool Committer::Group::full(const CommitTarget& target) const {
  return independent.size + dependent.size >= kGroupBodies || target.batch_bytes() >= kGroupBytes;
}

void Committer::commit(Group& group) {
  if (target_.batch_bytes() != 0) {
    const Result<void> room = callbacks_.before_commit ? callbacks_.before_commit() : Result<void>();
    if (!room) {
      target_.drop();
      for (Submission* each = group.dependent.first; each != nullptr; each = each->next_queued)
        each->fail(room.error());
    } else if (const Result<void> written = target_.write(group.sync); !written) {
      fail_for_good(group, written.error());
      return;
    } else if (group.sync) {
      failpoint("batch-written");
    }
  }
  finish(group.independent);
  finish(group.dependent);
}

void Committer::finish(List& list) {
  while (Submission* submission = list.pop()) submission->finish();
}

void Committer::fail_for_good(Group& group, const Error& cause) {
  // What reached the disk is unknown now, and a second sync would not tell (it reports an error only once).
  const Error error =
      Error(ErrorKind::kIo, "the metadata store failed to write and must be restarted").with_cause(cause);
  List waiting;
  {
    const std::lock_guard lock(mutex_);
    failure_ = error;
    waiting = std::exchange(queue_, List{});
  }
  for (List* list : {&group.independent, &group.dependent, &waiting})
    while (Submission* submission = list->pop()) {
      submission->fail(error);
      submission->finish();
    }
  if (callbacks_.on_fatal) callbacks_.on_fatal(error);
}

}  // namespace wherry::kv
