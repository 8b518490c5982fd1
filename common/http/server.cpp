#include "common/http/server.h"

#include <sys/socket.h>

#include "common/async/sleep.h"
#include "common/base/log.h"

namespace wherry::http {

ServerLoop::ServerLoop(Loop& loop, Service& service, const Limits& limits, const TlsIdentity* tls,
                       std::atomic<std::size_t>& connections)
    : loop_(loop), service_(service), limits_(limits), tls_(tls), total_(connections) {}

ServerLoop::~ServerLoop() = default;

void ServerLoop::listen(UniqueFd fd) {
  listener_ = std::make_unique<Listener>(loop_, std::move(fd), [this](UniqueFd taken) { take(std::move(taken)); });
}

void ServerLoop::take(UniqueFd fd) {
  if (total_.fetch_add(1, std::memory_order_relaxed) >= limits_.connections) {
    total_.fetch_sub(1, std::memory_order_relaxed);
    static constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (tls_ != nullptr) return;  // a handshake costs what there is too little of
    [[maybe_unused]] const ssize_t sent = ::send(fd.get(), kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  auto connection = std::make_unique<Connection>(*this, loop_, std::move(fd));
  connections_.insert(connection.get());
  scope_.spawn(run(std::move(connection)));
}

Task<void> ServerLoop::run(std::unique_ptr<Connection> connection) {
  try {
    co_await connection->serve();
  } catch (const std::exception& exception) {
    log::error("a connection ended by an exception", {{"what", exception.what()}});
  }
  connections_.erase(connection.get());
  connection.reset();
  total_.fetch_sub(1, std::memory_order_relaxed);
}

void ServerLoop::drain() {
  if (listener_) listener_->accept_all();
  listener_.reset();
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all) connection->drain();
}

void ServerLoop::close_all() {
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all) connection->close();
}

Server::Server(std::vector<Loop*> loops, Service& service, Limits limits, const TlsIdentity* tls)
    : loops_(std::move(loops)), service_(service), limits_(limits) {
  for (Loop* loop : loops_) parts_.push_back(std::make_unique<ServerLoop>(*loop, service_, limits_, tls, total_));
}

Server::~Server() = default;

namespace {

Task<void> listen_there(Loop& loop, ServerLoop& part, UniqueFd fd) {
  Loop& home = Loop::current();
  co_await loop.enter();
  part.listen(std::move(fd));
  co_await home.enter();
}

Task<void> stop_there(Loop& loop, ServerLoop& part, std::chrono::milliseconds grace,
                      const std::atomic<bool>& abandoned) {
  static constexpr std::chrono::milliseconds kLook{20};
  Loop& home = Loop::current();
  co_await loop.enter();
  part.drain();
  const auto deadline = Clock::system().monotonic() + grace;
  while (part.open() > 0 && Clock::system().monotonic() < deadline && !abandoned.load()) co_await sleep_for(kLook);
  part.close_all();
  co_await part.join();
  co_await home.enter();
}

}  // namespace

Task<Result<SocketAddress>> Server::listen(SocketAddress address) {
  auto sockets = listen_on(address, parts_.size());
  if (!sockets) co_return sockets.error();
  address = SocketAddress::local_of(sockets->front().get());
  for (std::size_t i = 0; i < parts_.size(); ++i)
    co_await listen_there(*loops_[i], *parts_[i], std::move((*sockets)[i]));
  co_return address;
}

Task<void> Server::stop(std::chrono::milliseconds grace) {
  Scope scope;
  for (std::size_t i = 0; i < parts_.size(); ++i) scope.spawn(stop_there(*loops_[i], *parts_[i], grace, abandoned_));
  co_await scope.join();
  // Each part ends on the loop that it lived on.
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Loop& home = Loop::current();
    co_await loops_[i]->enter();
    parts_[i].reset();
    co_await home.enter();
  }
  parts_.clear();
}

void Server::abandon() { abandoned_.store(true); }

}  // namespace wherry::http
