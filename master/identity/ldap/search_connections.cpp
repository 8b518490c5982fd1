#include "master/identity/ldap/search_connections.h"

#include <openssl/crypto.h>

#include <utility>

namespace wherry::master::ldap {

Result<Found> SearchConnections::search(const Search& search, Monotonic deadline) {
  if (auto kept = take()) {
    auto found = kept->search(search, deadline);
    if (!kept->broken()) {
      keep(std::move(*kept));
      return found;
    }
    if (Clock::system().monotonic() >= deadline) return found;
  }
  auto made = make(deadline);
  if (!made) return made.error();
  auto found = made->search(search, deadline);
  if (!made->broken()) keep(std::move(*made));
  return found;
}

std::optional<Connection> SearchConnections::take() {
  std::vector<Kept> old;  // ended outside of the lock
  const std::lock_guard lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  if (Clock::system().monotonic() - kept_.back().since > kMaxIdle) {
    old.swap(kept_);
    return std::nullopt;
  }
  Connection last = std::move(kept_.back().connection);
  kept_.pop_back();
  return last;
}

void SearchConnections::keep(Connection connection) {
  const std::lock_guard lock(mutex_);
  kept_.push_back({std::move(connection), Clock::system().monotonic()});
}

Result<Connection> SearchConnections::make(Monotonic deadline) {
  auto connection = Connection::open(options_, deadline);
  if (!connection || options_.bind_dn.empty()) return connection;
  auto password = read_bind_password(options_.bind_password_file);
  if (!password) return Error(ErrorKind::kUnavailable, "bind-password-file: {}", password.error().message());
  auto bound = connection->bind(options_.bind_dn, *password, deadline);
  OPENSSL_cleanse(password->data(), password->size());
  if (bound) return connection;
  return Error(ErrorKind::kUnavailable, "as {}: {}", options_.bind_dn, bound.error().message());
}

}  // namespace wherry::master::ldap
