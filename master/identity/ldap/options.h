// What configuration says of the directory that people log in against.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/config/config_file.h"

namespace wherry::master::ldap {

/// The section `ldap` of the master's configuration; a key is the member's name with hyphens.
struct LdapOptions {
  std::string url;                 ///< ldap://HOST[:PORT] or ldaps://HOST[:PORT].
  bool start_tls = true;           ///< With ldap://: TLS from the first request on, or nothing.
  bool insecure_plain = false;     ///< `start-tls: false` with ldap:// is refused without it.
  std::string ca_file;             ///< PEM; the system's authorities when empty.
  std::string bind_dn;             ///< The account that searches; searches are anonymous when empty.
  std::string bind_password_file;  ///< Read for each new connection, so that a new password needs no restart.
  std::string search_base;
  /// Finds the one entry of a login name. {login} stands in it exactly once.
  std::string filter = "(&(objectClass=person)(uid={login}))";
  std::string login_attribute = "uid";
  std::string mail_attribute = "mail";
  std::string id_attribute = "entryUUID";  ///< What stays when a person is renamed; objectGUID with Active Directory.
  std::string group_base;                  ///< No groups are looked for when empty.
  /// Finds the groups of an entry. {dn} stands in it exactly once.
  std::string group_filter = "(&(objectClass=groupOfNames)(member={dn}))";
  std::string group_name_attribute = "cn";
  std::uint64_t nested_groups = 8;          ///< How deep groups of groups are followed; 0: not at all.
  std::chrono::milliseconds timeout{5000};  ///< Of a whole question, a login say, with the wait for its turn.
  std::uint64_t connections = 4;            ///< Threads, and connections kept for searching.

  bool ldaps() const { return url.starts_with("ldaps://"); }
  bool with_tls() const { return ldaps() || start_tls; }
};

constexpr std::uint64_t kMaxNestedGroups = 32;
constexpr std::uint64_t kMaxConnections = 64;
constexpr std::chrono::milliseconds kMaxTimeout = std::chrono::minutes(1);

/// Reads the section `ldap` of `file`; nothing when it is not there.
/// Errors: kInvalid, naming file, line and key; also when a file that is named cannot be read.
Result<std::optional<LdapOptions>> read_ldap(ConfigSection& file);

/// The password in a file of one line, without the end of that line. Errors: kInvalid when it cannot be read or holds
/// none: binding without a password is binding as nobody.
Result<std::string> read_bind_password(const std::string& path);

}  // namespace wherry::master::ldap
