#include "common/auth/login_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <span>

#include "common/auth/account_name.h"
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

std::array<std::string, 3> keys_of(const std::string& name, const std::string& address, const std::string& via) {
  const std::string account = account_of(name);
  std::string place = site_of(address);
  if (!via.empty()) place += " via " + via;
  return {"both " + account + " " + place, "account " + account, "address " + place};
}

Error too_many(Duration left) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left);
  return Error(ErrorKind::kTooManyRequests, "too many wrong passwords: try again in {} s", seconds.count())
      .with_retry_after(seconds);
}

}  // namespace

Result<void> LoginGuard::check(const std::string& account, const std::string& address, const std::string& via) {
  const Monotonic now = clock_.monotonic();
  const auto keys = keys_of(account, address, via);
  // Who was right from there lately is not kept out by what others try.
  const auto trusted = trusted_.find(keys[0]);
  const bool is_trusted = trusted != trusted_.end() && trusted->second > now;
  const std::size_t looked_at = is_trusted ? 1 : keys.size();
  for (const std::string& key : std::span(keys).first(looked_at)) {
    const auto found = counts_.find(key);
    if (found == counts_.end() || found->second.until <= now) continue;
    return too_many(found->second.until - now);
  }
  const auto node = nodes_.find(via);
  if (is_trusted || node == nodes_.end()) return {};
  const Duration over = node->second - now - kFreeOfNode * kNodeForgets;
  if (over > Duration(0)) return too_many(over);
  return {};
}

void LoginGuard::count_of_node(const std::string& node) {
  const Monotonic now = clock_.monotonic();
  if (nodes_.size() >= kMostNodes) std::erase_if(nodes_, [&](const auto& each) { return each.second <= now; });
  Monotonic& forgotten = nodes_[node];
  forgotten = std::max(forgotten, now) + kNodeForgets;
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

void LoginGuard::was_wrong(const std::string& account, const std::string& address, const std::string& via) {
  const auto keys = keys_of(account, address, via);
  count(keys[0], kFreeOfBoth);
  count(keys[1], kFreeOfAccount);
  count(keys[2], kFreeOfAddress);
  if (!via.empty()) count_of_node(via);
}

void LoginGuard::was_right(const std::string& account, const std::string& address, const std::string& via) {
  const std::string key = keys_of(account, address, via)[0];
  counts_.erase(key);
  if (trusted_.size() >= kMost) trusted_.clear();
  trusted_.insert_or_assign(key, clock_.monotonic() + kTrustedFor);
}

}  // namespace wherry::auth
