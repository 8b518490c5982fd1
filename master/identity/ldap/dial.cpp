#include "master/identity/ldap/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace wherry::master::ldap {
namespace {

std::string reason_of(int error) { return std::system_category().message(error); }

/// Waits for a connect that is under way; gives errno.
int finish_connect(int fd, Monotonic deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::system().monotonic());
    if (left.count() <= 0) return ETIMEDOUT;
    pollfd waiting{fd, POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready <= 0) continue;
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
  }
}

/// Notices within about two minutes when the other side of an idle connection is gone.
void keep_alive(int fd) {
  const auto set = [fd](int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

Result<UniqueFd> dial(const std::string& host, int port, Monotonic deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int looked_up = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (looked_up != 0) return Error(ErrorKind::kUnavailable, "{}: {}", host, ::gai_strerror(looked_up));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int addresses = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) ++addresses;
  int error = ETIMEDOUT;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next, --addresses) {
    UniqueFd fd(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = fd ? 0 : errno;
    if (fd && ::connect(fd.get(), each->ai_addr, each->ai_addrlen) != 0) error = errno;
    if (error == EINPROGRESS) {
      const auto now = Clock::system().monotonic();
      error = finish_connect(fd.get(), now + (deadline - now) / addresses);
    }
    if (error != 0) continue;
    keep_alive(fd.get());
    return fd;
  }
  return Error(ErrorKind::kUnavailable, "cannot connect: {}", reason_of(error));
}

}  // namespace wherry::master::ldap
