// Pending: logins that have begun, in memory, by a key that cannot be guessed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/base/clock.h"
#include "common/base/random.h"

namespace wherry::identity::oidc {

/// At most kMost of them; one more takes the place of the oldest, so that whoever begins many keeps others out for as
/// long as he goes on alone. O(1) but for O(log kMost) of that order. On one loop.
template <class T>
class Pending {
 public:
  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kKeyBytes = 32;  ///< random ones, as twice as many hexadecimal digits

  explicit Pending(const Clock& clock) : clock_(clock) {}

  /// Keeps `value` for that long; gives its key.
  std::string put(T value, Duration lasts) {
    if (entries_.size() >= kMost) erase(std::string(order_.begin()->second));
    std::string key = random_hex(kKeyBytes);
    const std::uint64_t number = next_++;
    order_.emplace(number, key);
    entries_.emplace(key, Entry{std::move(value), clock_.monotonic() + lasts, number});
    return key;
  }
  /// What is kept, if it is not over; until the next put() or erase().
  T* find(const std::string& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (clock_.monotonic() < found->second.until) return &found->second.value;
    erase(key);
    return nullptr;
  }
  /// The same, and forgets it: once only.
  std::optional<T> take(const std::string& key) {
    T* found = find(key);
    if (found == nullptr) return std::nullopt;
    std::optional<T> value(std::move(*found));
    erase(key);
    return value;
  }
  void erase(const std::string& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    order_.erase(found->second.number);
    entries_.erase(found);
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    T value;
    Monotonic until;
    std::uint64_t number;
  };

  const Clock& clock_;
  std::unordered_map<std::string, Entry> entries_;
  std::map<std::uint64_t, std::string> order_;
  std::uint64_t next_ = 0;
};

}  // namespace wherry::identity::oidc
