// MasterLogins: checks passwords and secrets, wherever they are known.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "common/async/pool.h"
#include "common/auth/login_guard.h"
#include "common/auth/token_gate.h"
#include "master/audit/audit_log.h"
#include "master/identity/directory.h"

namespace wherry::identity {

/// The one whom the first start makes.
inline constexpr const char* kFirstAdministrator = "admin";

/// Names that begin with kRobotPrefix are robots'. All others are asked for here first and then, when no local user has
/// that name, in the sources beside: nobody takes over an account by having its name somewhere else.
class MasterLogins final : public auth::Logins {
 public:
  static constexpr std::string_view kRobotPrefix = "robot$";
  /// Hashing waits for one thread, which gives way to all others: logins do not slow pulls.
  static constexpr std::size_t kHashers = 1;
  static constexpr std::size_t kMostWaiting = 32;
  static constexpr std::size_t kMostNameBytes = 160;
  /// That long a password that was right is right without being hashed again: of many machines that begin at once.
  static constexpr std::chrono::seconds kRightFor{60};
  static constexpr std::size_t kMostRight = 4096;
  /// So long lasts what a login gave to somebody whom another server knows: that is asked again before long.
  static constexpr std::chrono::hours kForeignSessionLasts{12};

  /// What another server said of somebody whose password it took.
  struct Person {
    std::string external_id;
    std::string name;
    std::vector<std::string> names{};  ///< all of theirs there; none where a user keeps the first one
    std::string mail;
    std::vector<std::string> groups;
  };
  /// Another place where passwords are known; kUnauthorized when it does not know this one.
  class PasswordSource {
   public:
    virtual ~PasswordSource() = default;
    virtual Source source() const = 0;
    virtual Task<Result<Person>> log_in(std::string name, std::string password) = 0;
  };

  /// `audit`: where logins are written down; null: nowhere. It outlives this.
  MasterLogins(Directory& directory, audit::AuditLog* audit, const Clock& clock);
  /// Asked in this order. Before anybody logs in.
  void add(PasswordSource& source) { sources_.push_back(&source); }

  Task<Result<auth::Identity>> log_in(const auth::LoginAttempt& attempt) override;
  /// A user, also one who has to change the password. Home loop.
  Task<Result<User>> check_user(const auth::LoginAttempt& attempt);
  /// Who that is now, of somebody who logged in before. Errors: kUnauthorized for who may not any more. Home loop.
  Result<auth::Identity> identity_of(const User& user, std::vector<std::string> groups) const;
  /// Who began the session that has this secret. Home loop. Errors: kUnauthorized when it is over, was ended, or is
  /// none.
  Task<Result<auth::Identity>> by_session(const std::string& secret);
  /// Who another server has vouched for; makes the user where this is the first time, and gives the user `name` where
  /// the one before is none of the person's `names` any more, unless it is taken. Home loop. Errors: kUnauthorized,
  /// also when a new one's name is taken.
  Task<Result<auth::Identity>> admit(Source source, const Person& person);

  /// Writes down what came of a login of that account, from there; `action`: "login", or how else it was; `via`: the
  /// node that vouches for the address.
  void note(const char* action, const std::string& account, const std::string& remote,
            const Result<auth::Identity>& who, const std::string& via = {});

  /// On the pool that hashes passwords. Errors: kTooManyRequests when too many wait.
  Task<Result<std::string>> hash(std::string password);

 private:
  /// Follows somebody whom another server calls otherwise than before.
  Task<void> rename(const User& known, const Person& person);
  Task<Result<auth::Identity>> log_in_here(const auth::LoginAttempt& attempt);
  Task<Result<auth::Identity>> log_in_robot(const auth::LoginAttempt& attempt);
  Task<Result<auth::Identity>> log_in_user(const auth::LoginAttempt& attempt);
  /// People of an OpenID provider have no password here: what a login there gave them takes its place.
  Task<Result<auth::Identity>> log_in_by_session(const auth::LoginAttempt& attempt);
  Task<Result<bool>> fits(std::string password, std::string hash);
  Result<void> take_turn();
  struct Right {
    std::string hash;  ///< the user's, then
    Monotonic until;
  };
  std::string memory_key(const auth::LoginAttempt& attempt) const;
  bool was_right_lately(const auth::LoginAttempt& attempt, const std::string& hash) const;
  void remember(const auth::LoginAttempt& attempt, const std::string& hash);

  Directory& directory_;
  audit::AuditLog* const audit_;
  const Clock& clock_;
  Loop& home_;
  auth::LoginGuard guard_;
  Pool hashers_;
  std::size_t waiting_ = 0;
  const std::string seed_;
  std::unordered_map<std::string, Right> right_;  // by a keyed hash of name and password
  std::vector<PasswordSource*> sources_;
};

}  // namespace wherry::identity
