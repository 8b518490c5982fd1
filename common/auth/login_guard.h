// LoginGuard: how often somebody may be wrong.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::auth {

/// Counts wrong passwords by account and address together, by account, and by address; after some of them each further
/// one costs a pause that doubles. An account is one in whatever case its name is typed, and with spaces around it.
/// Whoever tries the passwords of others from one place does not lock them out of their own. Addresses that a node
/// vouches for (`via`; empty: none does) count apart from all others of that name: a node locks out nobody who is not
/// behind it, and the same private address is somebody else at another site. What comes through one node is bound in
/// all, by a rate: whoever makes addresses up gains no more. On one loop.
class LoginGuard {
 public:
  static constexpr unsigned kFreeOfBoth = 5;
  static constexpr unsigned kFreeOfAccount = 50;
  static constexpr unsigned kFreeOfAddress = 30;
  static constexpr std::chrono::seconds kLongestPause{15 * 60};
  /// Wrong passwords through one node: so many at once, and one more each kNodeForgets (900 an hour). A client that
  /// errs for ever makes 5 an hour after the first, for the pauses of its address: alone it never gets there.
  static constexpr unsigned kFreeOfNode = 1000;
  static constexpr std::chrono::seconds kNodeForgets{4};
  /// An account is trusted from where it logged in for so long: what others do wrong there does not keep it out.
  static constexpr std::chrono::hours kTrustedFor{24 * 7};
  static constexpr std::size_t kMost = 100'000;      ///< counted; beyond it all begin anew but those that are locked
  static constexpr std::size_t kMostNodes = 20'000;  ///< more than can be registered

  explicit LoginGuard(const Clock& clock) : clock_(clock) {}

  /// Errors: kTooManyRequests with the time after which it is worth trying.
  Result<void> check(const std::string& account, const std::string& address, const std::string& via = {});
  void was_wrong(const std::string& account, const std::string& address, const std::string& via = {});
  /// Of that account from there: what others did wrong stays counted.
  void was_right(const std::string& account, const std::string& address, const std::string& via = {});

 private:
  struct Count {
    unsigned wrong = 0;
    Monotonic last{};
    Monotonic until{};
  };
  void count(const std::string& key, unsigned free);
  void count_of_node(const std::string& node);

  const Clock& clock_;
  std::unordered_map<std::string, Count> counts_;
  std::unordered_map<std::string, Monotonic> trusted_;  // until when
  std::unordered_map<std::string, Monotonic> nodes_;    // when all that was wrong through it is forgotten
  Monotonic swept_{};
};

}  // namespace wherry::auth
