#include "common/upstream/budget.h"

#include <algorithm>
#include <array>

#include "common/async/request_context.h"
#include "common/async/sleep.h"
#include "common/base/bytes.h"

namespace wherry {
namespace {

/// The number before the parameters of a field such as "76;w=21600".
std::optional<std::uint64_t> leading_number(std::string_view field) {
  return parse_decimal(field.substr(0, field.find(';')), INT32_MAX);
}

/// The window in seconds of a field such as "76;w=21600".
std::optional<std::uint64_t> window_of(std::string_view field) {
  const auto at = field.find(";w=");
  if (at == std::string_view::npos) return std::nullopt;
  return leading_number(field.substr(at + 3));
}

}  // namespace

Budget::Budget(BudgetLimits limits, const Clock& clock) : limits_(limits), clock_(clock) {}

void Budget::Slot::give_back() {
  if (budget_ != nullptr) std::exchange(budget_, nullptr)->slot_ended(use_);
}

Error Budget::limited(std::string why, std::chrono::milliseconds wait) const {
  const auto seconds =
      std::clamp(std::chrono::ceil<std::chrono::seconds>(wait), std::chrono::seconds(1), kLongestClosed);
  return Error(ErrorKind::kUpstreamLimited, std::move(why)).with_retry_after(seconds);
}

/// For one more, whoever waits.
bool Budget::has_slot_for(Use use) const {
  if (taken_ >= limits_.concurrent) return false;
  return use == Use::kFill || taken_by_relays_ < std::max<std::uint64_t>(1, limits_.concurrent / kRelayShare);
}

bool Budget::Waiter::await_suspend(std::coroutine_handle<> waiting) {
  handle = waiting;
  loop = &Loop::current();
  run = [](Loop::Message* message) { static_cast<Waiter*>(message)->handle.resume(); };
  const std::lock_guard lock(budget.mutex_);
  if (budget.cancelled_) {
    outcome = Outcome::kCancelled;
    return false;
  }
  auto& waiters = use == Use::kRelay ? budget.waiting_relays_ : budget.waiters_;
  if (waiters.empty() && budget.has_slot_for(use)) {
    ++budget.taken_;
    if (use == Use::kRelay) ++budget.taken_by_relays_;
    outcome = Outcome::kGranted;
    return false;
  }
  if (waiters.size() >= kMostWaiting || waiters.size_of(client) >= kMostWaitingOfOne) {
    outcome = Outcome::kTooMany;
    return false;
  }
  waiters.push(client, repository, this);
  return true;
}

/// Gives the slot to the next: relays and fills take turns, as long as relays have less than their share.
void Budget::slot_ended(Use use) {
  Waiter* next = nullptr;
  {
    const std::lock_guard lock(mutex_);
    --taken_;
    if (use == Use::kRelay) --taken_by_relays_;
    const bool relay = !waiting_relays_.empty() && has_slot_for(Use::kRelay) && (use == Use::kFill || waiters_.empty());
    auto& waiters = relay ? waiting_relays_ : waiters_;
    if (waiters.empty()) return;
    next = waiters.pop();
    ++taken_;
    if (relay) ++taken_by_relays_;
    next->outcome = Waiter::Outcome::kGranted;
  }
  next->loop->send(*next);
}

Task<Result<Budget::Slot>> Budget::slot(std::string repository, Use use) {
  auto open = check_open();
  if (!open) co_return open.error();
  const RequestContext* const asked_for = co_await current_request();
  Waiter waiter(*this, asked_for == nullptr ? 0 : asked_for->client, std::move(repository), use);
  co_await waiter;
  if (waiter.outcome == Waiter::Outcome::kCancelled) co_return Error(ErrorKind::kCancelled, "no longer wanted");
  if (waiter.outcome == Waiter::Outcome::kTooMany)
    co_return limited("too many fetches wait for the upstream", std::chrono::seconds(5));
  co_return Slot(*this, use);
}

Task<void> Budget::spend(std::uint64_t bytes) {
  if (limits_.bytes_per_second == 0) co_return;
  std::chrono::milliseconds wait{0};
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.monotonic();
    const auto cost = std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(limits_.bytes_per_second)));
    bytes_free_at_ = std::max(bytes_free_at_, now) + cost;
    wait = std::chrono::duration_cast<std::chrono::milliseconds>(bytes_free_at_ - now);
  }
  while (wait.count() > 0) {
    const auto nap = std::min(wait, kLongestNap);
    co_await sleep_for(nap);
    wait -= nap;
    const std::lock_guard lock(mutex_);
    if (cancelled_) co_return;
  }
}

std::chrono::seconds Budget::asked_to_wait(const http::ClientHead& head) {
  return std::clamp(head.retry_after().value_or(std::chrono::seconds(1)), std::chrono::seconds(1), kLongestClosed);
}

Result<void> Budget::check_open() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  if (now >= closed_until_) return {};
  return limited("the upstream asked to be left alone for a while (429)",
                 std::chrono::duration_cast<std::chrono::milliseconds>(closed_until_ - now));
}

void Budget::roll_window(Monotonic now) {
  if (now >= told_until_) told_left_.reset();
  if (now < window_ends_) return;
  window_ends_ = now + limits_.window;
  used_ = 0;
}

Result<Monotonic> Budget::take_manifest(bool refresh) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  roll_window(now);
  const std::uint64_t kept = refresh ? limits_.reserve : 0;
  if (limits_.manifests > 0 && used_ + kept >= limits_.manifests)
    return limited("what may be asked of the upstream is used up",
                   std::chrono::duration_cast<std::chrono::milliseconds>(window_ends_ - now));
  if (told_left_ && *told_left_ <= kept) {
    const auto again = refresh ? told_until_ : std::min(told_until_, told_at_ + kTryAgain);
    if (now < again)
      return limited("the upstream says that nothing is left for us",
                     std::chrono::duration_cast<std::chrono::milliseconds>(again - now));
    told_at_ = now;  // one try
  }
  ++used_;
  if (told_left_ && *told_left_ > 0) --*told_left_;
  return now;
}

void Budget::give_back_manifest(Monotonic taken) {
  const std::lock_guard lock(mutex_);
  if (taken + limits_.window >= window_ends_ && used_ > 0) --used_;  // of this window, not of one before
  if (told_left_ && taken > told_at_) ++*told_left_;                 // not counted in what was told since
}

void Budget::told(const http::ClientHead& head) {
  for (const std::string_view name : {"ratelimit-remaining", "x-ratelimit-remaining"}) {
    const auto field = head.header(name);
    const auto left = leading_number(field);
    if (!left) continue;
    auto window = std::chrono::duration_cast<std::chrono::seconds>(limits_.window);
    if (const auto seconds = window_of(field)) window = std::chrono::seconds(*seconds);
    const std::lock_guard lock(mutex_);
    told_left_ = *left;
    told_at_ = clock_.monotonic();
    told_until_ = told_at_ + window;
    return;
  }
}

void Budget::closed_for(std::chrono::seconds time) {
  const std::lock_guard lock(mutex_);
  closed_until_ = std::max(closed_until_, clock_.monotonic() + std::min(time, kLongestClosed));
}

void Budget::cancel() {
  std::array<Turns<Waiter*>, 2> all;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    std::swap(all[0], waiters_);
    std::swap(all[1], waiting_relays_);
  }
  for (auto& waiters : all) {
    while (!waiters.empty()) {
      Waiter* const waiter = waiters.pop();
      waiter->outcome = Waiter::Outcome::kCancelled;
      waiter->loop->send(*waiter);
    }
  }
}

std::optional<std::uint64_t> Budget::manifests_left() const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  std::optional<std::uint64_t> left;
  if (now < told_until_) left = told_left_;
  if (limits_.manifests > 0) {
    const std::uint64_t used = now < window_ends_ ? used_ : 0;
    const std::uint64_t own = limits_.manifests - std::min(limits_.manifests, used);
    left = left ? std::min(*left, own) : own;
  }
  return left;
}

std::size_t Budget::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiters_.size() + waiting_relays_.size();
}

}  // namespace wherry
