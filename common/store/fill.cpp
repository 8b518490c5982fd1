#include "common/store/fill.h"

#include <algorithm>
#include <utility>

namespace wherry::store {

bool Fill::Waiter::await_suspend(std::coroutine_handle<> waiting) {
  handle = waiting;
  loop = &Loop::current();
  run = [](Loop::Message* message) { static_cast<Waiter*>(message)->handle.resume(); };
  const std::lock_guard lock(fill.mutex_);
  // Looked at under the lock that wake() takes: a change between the caller's look and here is not slept through.
  if (fill.state_.load() != seen_state || fill.front_.load() != seen_front) return false;
  next_waiter = fill.waiters_;
  fill.waiters_ = this;
  return true;
}

void Fill::wake() {
  Waiter* waiter = nullptr;
  {
    const std::lock_guard lock(mutex_);
    waiter = std::exchange(waiters_, nullptr);
  }
  while (waiter != nullptr) {
    Waiter* next = waiter->next_waiter;
    waiter->loop->send(*waiter);
    waiter = next;
  }
}

Task<Result<std::uint64_t>> Fill::size() {
  while (true) {
    const State state = state_.load();
    if (state == State::kFailed) co_return failure();
    if (state != State::kOpening) co_return size_;
    co_await changed(state, front_.load());
  }
}

std::optional<Result<std::uint64_t>> Fill::try_ready(std::uint64_t offset, std::uint64_t want,
                                                     std::uint64_t end) const {
  const State state = state_.load();
  if (state == State::kFailed) return Result<std::uint64_t>(failure());
  if (state == State::kVerified) return Result<std::uint64_t>(want);
  const std::uint64_t limit = std::min(front_.load(), end - 1);
  if (limit <= offset) return std::nullopt;
  return Result<std::uint64_t>(std::min(want, limit - offset));
}

Task<Result<std::uint64_t>> Fill::ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) {
  while (true) {
    const State state = state_.load();
    const std::uint64_t front = front_.load();
    auto now = try_ready(offset, want, end);
    if (now) co_return std::move(*now);
    co_await changed(state, front);
  }
}

Task<Result<void>> Fill::done() {
  while (true) {
    const State state = state_.load();
    if (state == State::kFailed) co_return failure();
    if (state == State::kVerified) co_return Result<void>();
    co_await changed(state, front_.load());
  }
}

Fill::Progress Fill::progress() const {
  Progress progress;
  const State state = state_.load();
  progress.done_bytes = front_.load();
  if (state == State::kGrowing || state == State::kVerified) progress.size_bytes = size_;
  return progress;
}

void Fill::opened(UniqueFd file, std::uint64_t size) {
  file_ = std::move(file);
  size_ = size;
  state_.store(State::kGrowing);
  wake();
}

void Fill::advanced(std::uint64_t front) {
  front_.store(front);
  wake();
}

void Fill::verified() {
  state_.store(State::kVerified);
  wake();
}

void Fill::failed(Error error) {
  if (state_.load() == State::kVerified) return;
  error_ = std::move(error);
  state_.store(State::kFailed);
  wake();
}

}  // namespace wherry::store
