// Server: listeners on every loop, their connections, and the end of both.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_set>
#include <vector>

#include "common/async/loop.h"
#include "common/async/scope.h"
#include "common/http/connection.h"
#include "common/http/exchange.h"
#include "common/http/limits.h"
#include "common/net/listener.h"
#include "common/net/tls_identity.h"

namespace wherry::http {

/// What a server does with a request, and how it words an error. Must outlive the server; called on every loop.
class Service {
 public:
  virtual ~Service() = default;
  virtual Task<Result<void>> handle(Exchange& exchange) = 0;
  virtual Response render(const Error& error) const = 0;
  /// Called when a request has ended, however it did; a status of 499 says that no answer reached the client.
  virtual void finished(const Exchange& exchange, Duration took) = 0;
};

/// The part of a server that lives on one loop.
class ServerLoop {
 public:
  ServerLoop(Loop& loop, Service& service, const Limits& limits, const TlsIdentity* tls,
             std::atomic<std::size_t>& connections);
  ~ServerLoop();

  void listen(UniqueFd fd);
  /// Takes no more connections and ends those that wait for a request.
  void drain();
  /// Ends all connections now.
  void close_all();
  Task<void> join() { return scope_.join(); }
  std::size_t open() const { return connections_.size(); }

  Service& service() { return service_; }
  const Limits& limits() const { return limits_; }
  /// Null when the server speaks plain HTTP.
  const TlsIdentity* tls() const { return tls_; }
  /// How many bodies are on their way out of files; each counts itself.
  std::size_t& sending() { return sending_; }

 private:
  void take(UniqueFd fd);
  Task<void> run(std::unique_ptr<Connection> connection);

  Loop& loop_;
  Service& service_;
  const Limits& limits_;
  const TlsIdentity* tls_;
  std::atomic<std::size_t>& total_;
  std::unique_ptr<Listener> listener_;
  std::unordered_set<Connection*> connections_;
  std::size_t sending_ = 0;
  Scope scope_;
};

/// A server on a set of loops. listen() and stop() are called on any of them.
class Server {
 public:
  /// With `tls`, which outlives it, it speaks HTTPS and nothing else.
  Server(std::vector<Loop*> loops, Service& service, Limits limits, const TlsIdentity* tls = nullptr);
  ~Server();

  /// Binds on every loop (SO_REUSEPORT) and starts to serve; gives the address with its real port.
  Task<Result<SocketAddress>> listen(SocketAddress address);
  /// Stops taking connections, lets requests end for up to `grace`, then ends them. Returns when nothing runs.
  Task<void> stop(std::chrono::milliseconds grace);
  /// Ends all connections now; for a second signal.
  void abandon();
  std::size_t connections() const { return total_.load(std::memory_order_relaxed); }

 private:
  std::vector<Loop*> loops_;
  Service& service_;
  Limits limits_;
  std::atomic<std::size_t> total_{0};
  std::atomic<bool> abandoned_{false};
  std::vector<std::unique_ptr<ServerLoop>> parts_;
};

}  // namespace wherry::http
