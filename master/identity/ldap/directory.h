// Logging people in against an LDAP directory, OpenLDAP or Active Directory.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/pool.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "master/identity/ldap/options.h"

namespace wherry::master::ldap {

class SearchConnections;

/// Who somebody is, as the directory has it now.
struct LdapPerson {
  std::string id;  ///< id-attribute: stays when all else changes; hexadecimal when it is binary
  std::string dn;
  std::string login;                   ///< as the directory spells it, whatever was typed
  std::vector<std::string> logins;     ///< all login names of theirs, that one too
  std::string mail;                    ///< may be empty
  std::vector<std::string> groups;     ///< names, sorted, each once
  std::vector<std::string> group_dns;  ///< sorted, each once
};

/// Asks the directory on threads of its own, LdapOptions::connections of them; for any number of loops. A question ends
/// within LdapOptions::timeout, its wait for a thread included (only the system's resolver may take longer).
class LdapDirectory {
 public:
  /// A longer password is refused without asking.
  static constexpr std::size_t kMaxPasswordBytes = 4096;

  explicit LdapDirectory(LdapOptions options);
  /// Waits for the questions under way.
  ~LdapDirectory();
  LdapDirectory(const LdapDirectory&) = delete;
  LdapDirectory& operator=(const LdapDirectory&) = delete;

  /// Finds the one entry of a login name, binds to it with the password on a connection made for that, and reads the
  /// groups. The password is wiped from memory after. Nothing is sent for a name or password that is empty or too long,
  /// a name with control characters or a password with a NUL.
  /// Errors: kUnauthorized, with one and the same message for a wrong password, an unknown name and one that several
  /// have; kUnavailable when the directory cannot be asked, with a message for the log alone: it tells of our network.
  Task<Result<LdapPerson>> login(std::string name, std::string password);

  /// Who has the login name now, without a password. Errors: kNotFound when nobody, or more than one, has it;
  /// kUnavailable as above.
  Task<Result<LdapPerson>> look_up(std::string name);

 private:
  /// His entry, without groups. Blocks, as those below.
  Result<LdapPerson> find_entry(const std::string& name, Monotonic deadline);
  Result<void> check_password(const LdapPerson& person, std::string_view password, Monotonic deadline);
  /// The same with groups; not yet one whose entry lacks what names it.
  Result<LdapPerson> complete(LdapPerson person, Monotonic deadline);
  Result<void> turn_came_in_time(Monotonic deadline) const;

  const LdapOptions options_;
  std::unique_ptr<SearchConnections> connections_;
  Pool pool_;  ///< the last: it ends before what its threads use
};

}  // namespace wherry::master::ldap
