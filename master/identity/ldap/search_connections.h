// The connections on which a directory is searched: bound once, used again, made anew when broken. Everything blocks.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "master/identity/ldap/connection.h"

namespace wherry::master::ldap {

/// For any number of threads; each search has a connection to itself. Nobody's password but the search account's is
/// ever sent on one.
class SearchConnections {
 public:
  /// Firewalls forget idle connections, and directories end them: an older one is not tried.
  static constexpr std::chrono::seconds kMaxIdle{60};

  /// `options` outlives this.
  explicit SearchConnections(const LdapOptions& options) : options_(options) {}

  /// Searches; on a new connection when a kept one turns out to be broken. Errors: those of Connection, and
  /// kUnavailable when the directory refuses the search account.
  Result<Found> search(const Search& search, Monotonic deadline);

 private:
  struct Kept {
    Connection connection;
    Monotonic since;
  };

  std::optional<Connection> take();
  void keep(Connection connection);
  Result<Connection> make(Monotonic deadline);

  const LdapOptions& options_;
  std::mutex mutex_;
  std::vector<Kept> kept_;  ///< the last used at the end
};

}  // namespace wherry::master::ldap
