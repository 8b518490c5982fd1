#include "common/auth/login_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <span>

#include "common/base/bytes.h"

namespace wherry::auth {
namespace {

constexpr std::chrono::hours kForgottenAfter{1};
constexpr std::chrono::seconds kSweepEvery{1};

/// Of IPv6 the first 64 bits: who has one of them has all of them.
std::string site_of(const std::string& address) {
  constexpr std::size_t kSiteBytes = 8;
  std::string plain = address;
  if (plain.starts_with('[') && plain.ends_with(']')) plain = plain.substr(1, plain.size() - 2);
  in6_addr bits{};
  if (::inet_pton(AF_INET6, plain.c_str(), &bits) != 1 || IN6_IS_ADDR_V4MAPPED(&bits)) return address;
  return to_hex(std::as_bytes(std::span(bits.s6_addr).first(kSiteBytes)));
}

std::array<std::string, 3> keys_of(const std::string& account, const std::string& address) {
  const std::string site = site_of(address);
  return {"both " + account + " " + site, "account " + account, "address " + site};
}

}  // namespace

Result<void> LoginGuard::check(const std::string& account, const std::string& address) {
  const Monotonic now = clock_.monotonic();
  const auto keys = keys_of(account, address);
  // Who was right from there lately is not kept out by what others try.
  const auto trusted = trusted_.find(keys[0]);
  const std::size_t looked_at = trusted != trusted_.end() && trusted->second > now ? 1 : keys.size();
  for (const std::string& key : std::span(keys).first(looked_at)) {
    const auto found = counts_.find(key);
    if (found == counts_.end() || found->second.until <= now) continue;
    const auto left = std::chrono::ceil<std::chrono::seconds>(found->second.until - now);
    return Error(ErrorKind::kTooManyRequests, "too many wrong passwords: try again in {} s", left.count())
        .with_retry_after(left);
  }
  return {};
}

void LoginGuard::count(const std::string& key, unsigned free) {
  const Monotonic now = clock_.monotonic();
  if (counts_.size() >= kMost && now - swept_ > kSweepEvery) {
    swept_ = now;
    std::erase_if(counts_, [&](const auto& each) { return each.second.until <= now; });
  }
  if (counts_.size() >= kMost && !counts_.contains(key)) return;
  Count& count = counts_[key];
  if (now - count.last > kForgottenAfter) count.wrong = 0;
  count.last = now;
  if (++count.wrong <= free) return;
  const unsigned doublings = std::min(count.wrong - free - 1, 16U);
  count.until = now + std::min(std::chrono::seconds(1U << doublings), kLongestPause);
}

void LoginGuard::was_wrong(const std::string& account, const std::string& address) {
  const auto keys = keys_of(account, address);
  count(keys[0], kFreeOfBoth);
  count(keys[1], kFreeOfAccount);
  count(keys[2], kFreeOfAddress);
}

void LoginGuard::was_right(const std::string& account, const std::string& address) {
  const std::string key = keys_of(account, address)[0];
  counts_.erase(key);
  if (trusted_.size() >= kMost) trusted_.clear();
  trusted_.insert_or_assign(key, clock_.monotonic() + kTrustedFor);
}

}  // namespace wherry::auth
