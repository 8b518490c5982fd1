// One connection to a directory: connected, under TLS, asked and bound within a time. Everything here blocks.
#pragma once

#include <ldap.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "master/identity/ldap/options.h"
#include "master/identity/ldap/timed_socket.h"

namespace wherry::master::ldap {

/// What a search found: a name and, in the order of the attributes asked for, the values of each, as they are.
struct Entry {
  std::string dn;
  std::vector<std::vector<std::string>> values;

  std::size_t bytes() const;
};

/// A search in the whole tree below `base`.
struct Search {
  std::string base;
  std::string filter;
  std::vector<std::string> attributes;
  std::size_t most = 1;  ///< more than that is Found::more
};
struct Found {
  std::vector<Entry> entries;  ///< at most Search::most
  bool more = false;
};

/// For one thread at a time. Referrals are never followed; a server's answer is held only within the bounds below.
/// Errors of all: kUnavailable, when the directory cannot be reached, says no to what should be allowed, breaks the
/// protocol or the time is up: the message says which, for the log, and never a password.
class Connection {
 public:
  static constexpr std::size_t kMaxMessageBytes = 1024 * 1024;
  static constexpr std::size_t kMaxFoundBytes = 8 * 1024 * 1024;  ///< names and values of a search together
  static constexpr std::size_t kMaxReferences = 1000;             ///< a search's pointers to other servers, passed over

  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) = delete;
  ~Connection() = default;

  /// Connects, and with TLS (1.2 or newer) checks the server's certificate and name. Nothing is sent before that but
  /// the request to start TLS.
  static Result<Connection> open(const LdapOptions& options, Monotonic deadline);

  /// Simple bind. Errors: also kUnauthorized when the directory says that it is not the password of `dn`. An empty `dn`
  /// or `password` is kUnauthorized and not sent: the directory would take it for a bind as nobody (RFC 4513, 5.1.2).
  Result<void> bind(const std::string& dn, std::string_view password, Monotonic deadline);

  Result<Found> search(const Search& search, Monotonic deadline);

  /// Whether something failed that leaves it unclear what comes next on it: it may not be used again.
  bool broken() const { return broken_; }

 private:
  struct Unbind {
    void operator()(LDAP* handle) const { ldap_unbind_ext(handle, nullptr, nullptr); }
  };
  struct Free {
    void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
  };
  using Message = std::unique_ptr<LDAPMessage, Free>;

  explicit Connection(const LdapOptions& options) : url_(options.url), tls_(options.with_tls()) {}

  Result<void> connect(const LdapOptions& options, Monotonic deadline);
  Result<void> prepare(const LdapOptions& options);
  Result<void> secure(const LdapOptions& options);
  /// Refuses to ask on what is over: libldap would connect anew by itself, in clear.
  Result<void> before_asking(Monotonic deadline);
  /// The next message of the answer to `id`, or all of them.
  Result<Message> receive(int id, int how_much);
  int outcome_of(LDAPMessage* message);
  Entry read_entry(LDAPMessage* message, const std::vector<std::string>& attributes);
  /// What libldap, or the directory, says besides a code.
  std::string diagnosis();
  Error failed(std::string_view doing, std::string_view why);

  std::string url_;
  bool tls_;
  bool broken_ = false;
  std::unique_ptr<TimedSocket> socket_;  ///< before the handle, which uses it to its end
  std::unique_ptr<LDAP, Unbind> handle_;
};

}  // namespace wherry::master::ldap
