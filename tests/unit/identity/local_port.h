// A port of 127.0.0.1 for a server that takes its port by number.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "common/base/check.h"
#include "common/base/unique_fd.h"

namespace wherry::testing {

/// Nobody else's for as long as this lives: outside of what the kernel gives to connections, and marked by the name of
/// a socket that every run of tests on this machine respects.
class LocalPort {
 public:
  LocalPort() {
    for (int i = 0; i < kCount && !mark_; ++i) {
      number_ = kFirst + (::getpid() * 16 + i) % kCount;
      take();
    }
    WHERRY_CHECK(mark_);
  }
  int number() const { return number_; }

 private:
  static constexpr int kFirst = 6000;
  static constexpr int kCount = 4000;

  void take() {
    UniqueFd mark(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string text = fmt::format("wherry-test-port-{}", number_);
    std::ranges::copy(text, name.sun_path + 1);  // behind a NUL: a name that is no file
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    if (::bind(mark.get(), reinterpret_cast<sockaddr*>(&name), length) != 0) return;
    const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(number_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) mark_ = std::move(mark);
  }

  int number_ = 0;
  UniqueFd mark_;
};

}  // namespace wherry::testing
