// An HTTP server of ours on the test's own loop, and a client that sends bytes as they are.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <utility>

#include "common/base/check.h"
#include "common/http/server.h"
#include "common/net/socket.h"

namespace wherry::testing {

/// Answers every request by a function; errors are rendered as their message.
class ScriptedService : public http::Service {
 public:
  using Answer = std::function<http::Response(const http::Request&)>;
  explicit ScriptedService(Answer answer) : answer_(std::move(answer)) {}

  Task<Result<void>> handle(http::Exchange& exchange) override {
    co_return co_await exchange.send(answer_(exchange.request()));
  }
  http::Response render(const Error& error) const override {
    return http::Response(500).body("text/plain", error.message());
  }
  void finished(const http::Exchange&, Duration) override {}

 private:
  Answer answer_;
};

/// A server on the current loop at a port of 127.0.0.1. stop() it before the loop's task ends.
class LocalServer {
 public:
  explicit LocalServer(http::Service& service, http::Limits limits = {}, const TlsIdentity* tls = nullptr)
      : server_({&Loop::current()}, service, limits, tls), protocol_(tls == nullptr ? "http://" : "https://") {}

  Task<void> start() {
    auto address = SocketAddress::parse("127.0.0.1:0").value();
    auto bound = co_await server_.listen(address);
    WHERRY_CHECK(bound.has_value());
    address_ = *bound;
  }
  Task<void> stop() { co_await server_.stop(std::chrono::milliseconds(0)); }
  std::string url() const { return protocol_ + address_.to_string(); }
  const SocketAddress& address() const { return address_; }

 private:
  http::Server server_;
  std::string protocol_;
  SocketAddress address_;
};

/// A connection to `address` on the current loop.
inline Socket connect_to(const SocketAddress& address) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  WHERRY_CHECK(fd && ::connect(fd.get(), address.raw(), address.length) == 0);  // loopback: at once
  WHERRY_CHECK(::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0);
  return Socket(Loop::current(), std::move(fd));
}

/// Sends `bytes` (and the end of the stream, if `ends`) and gives all that comes until the server closes, with how it
/// did so in brackets when that was not well.
inline Task<std::string> talk(SocketAddress address, std::string bytes, bool ends = false) {
  static constexpr std::chrono::seconds kPatience{20};
  Socket socket = connect_to(address);
  iovec piece{bytes.data(), bytes.size()};
  auto sent = co_await socket.write({&piece, 1}, false, kPatience);
  if (ends) socket.shutdown_write();
  std::string answer;
  if (!sent) answer = "not sent: " + sent.error().message();
  char buffer[16 * 1024];
  while (true) {
    auto got = co_await socket.read(buffer, kPatience);
    if (!got) {
      answer += "[" + got.error().message() + "]";
      break;
    }
    if (*got == 0) break;
    answer.append(buffer, *got);
  }
  co_return answer;
}

}  // namespace wherry::testing
