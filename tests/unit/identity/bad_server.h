// A server that does not behave: a test's function talks to each connection as it likes.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/base/unique_fd.h"

namespace wherry::testing {

class BadServer {
 public:
  /// One connection, on a thread of its own; a script comes to its end soon after ending().
  class Visit {
   public:
    Visit(BadServer& server, int fd) : server_(server), fd_(fd) {}
    int fd() const { return fd_; }
    bool ending() const { return server_.ending_; }
    /// What comes next; empty when the other side is done.
    std::string read() {
      char buffer[4096];
      pollfd waiting{fd_, POLLIN, 0};
      while (!ending())
        if (::poll(&waiting, 1, 20) > 0) {
          const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
          std::string bytes(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
          const std::lock_guard lock(server_.mutex_);
          server_.received_ += bytes;
          return bytes;
        }
      return {};
    }
    void write(std::string_view bytes) { (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    /// Reads and never answers.
    void ignore() {
      while (!read().empty()) {
      }
    }
    /// `start`, then a byte every 20 ms for ever.
    void drip(std::string_view start) {
      write(start);
      while (!ending() && ::send(fd_, "\0", 1, MSG_NOSIGNAL) == 1)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    /// Stands between the visitor and a server on another port.
    void forward_to(int port) {
      const UniqueFd there(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address = server_.address_;
      address.sin_port = htons(static_cast<std::uint16_t>(port));
      WHERRY_CHECK(::connect(there.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
      pollfd sides[] = {{fd_, POLLIN, 0}, {there.get(), POLLIN, 0}};
      char buffer[4096];
      while (!ending()) {
        if (::poll(sides, 2, 20) <= 0) continue;
        for (int from = 0; from < 2; ++from) {
          if (sides[from].revents == 0) continue;
          const auto got = ::recv(sides[from].fd, buffer, sizeof buffer, 0);
          if (got <= 0 || ::send(sides[1 - from].fd, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL) != got)
            return;
        }
      }
    }

   private:
    BadServer& server_;
    int fd_;
  };

  explicit BadServer(std::function<void(Visit&)> script) : script_(std::move(script)) {
    listening_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    auto* raw = reinterpret_cast<sockaddr*>(&address_);
    WHERRY_CHECK(::bind(listening_.get(), raw, length) == 0 && ::listen(listening_.get(), 64) == 0);
    WHERRY_CHECK(::getsockname(listening_.get(), raw, &length) == 0);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~BadServer() {
    ending_ = true;
    accepting_.join();
    for (std::thread& visit : visits_) visit.join();
  }
  BadServer(const BadServer&) = delete;
  BadServer& operator=(const BadServer&) = delete;

  int port() const { return ntohs(address_.sin_port); }
  std::string url() const { return "ldap://127.0.0.1:" + std::to_string(port()); }
  int connections() const { return connections_; }
  /// All that was ever read from anyone.
  std::string received() {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void accept_all() {
    pollfd waiting{listening_.get(), POLLIN, 0};
    while (!ending_) {
      if (::poll(&waiting, 1, 20) <= 0) continue;
      UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      ++connections_;
      visits_.emplace_back([this, owned = std::move(fd)] {
        sigset_t broken_pipes;  // a script's own TLS library knows no MSG_NOSIGNAL
        ::sigemptyset(&broken_pipes);
        ::sigaddset(&broken_pipes, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &broken_pipes, nullptr);
        Visit visit(*this, owned.get());
        script_(visit);
      });
    }
  }

  std::function<void(Visit&)> script_;
  sockaddr_in address_{};
  UniqueFd listening_;
  std::atomic<bool> ending_ = false;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::string received_;
  std::vector<std::thread> visits_;
  std::thread accepting_;
};

}  // namespace wherry::testing
