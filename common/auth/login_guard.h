// LoginGuard: how often somebody may be wrong.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::auth {

/// Counts wrong passwords by account and address together, by account, and by address; after some of them each further
/// one costs a pause that doubles. Whoever tries the passwords of others from one place does not lock them out of their
/// own. On one loop.
class LoginGuard {
 public:
  static constexpr unsigned kFreeOfBoth = 5;
  static constexpr unsigned kFreeOfAccount = 50;
  static constexpr unsigned kFreeOfAddress = 30;
  static constexpr std::chrono::seconds kLongestPause{15 * 60};
  /// An account is trusted from where it logged in for so long: what others do wrong there does not keep it out.
  static constexpr std::chrono::hours kTrustedFor{24 * 7};
  static constexpr std::size_t kMost = 100'000;  ///< counted; beyond it all begin anew but those that are locked

  explicit LoginGuard(const Clock& clock) : clock_(clock) {}

  /// Errors: kTooManyRequests with the time after which it is worth trying.
  Result<void> check(const std::string& account, const std::string& address);
  void was_wrong(const std::string& account, const std::string& address);
  /// Of that account from there: what others did wrong stays counted.
  void was_right(const std::string& account, const std::string& address);

 private:
  struct Count {
    unsigned wrong = 0;
    Monotonic last{};
    Monotonic until{};
  };
  void count(const std::string& key, unsigned free);

  const Clock& clock_;
  std::unordered_map<std::string, Count> counts_;
  std::unordered_map<std::string, Monotonic> trusted_;  // until when
  Monotonic swept_{};
};

}  // namespace wherry::auth
