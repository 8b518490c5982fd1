#include "common/net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include "common/base/bytes.h"

namespace wherry {

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto wrong = [&] {
    return Error(ErrorKind::kInvalid, "'{}' is not HOST:PORT with a numeric host, such as 127.0.0.1:5000 or [::1]:5000",
                 text);
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  const auto port = parse_decimal(text.substr(colon + 1), 65535);
  if (!port) return wrong();
  std::string host(text.substr(0, colon));
  if (host.find('\0') != std::string::npos) return wrong();  // inet_pton would stop there
  if (host == "localhost") host = "127.0.0.1";
  SocketAddress address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6->sin6_addr) != 1) return wrong();
    address.length = sizeof(sockaddr_in6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) != 1) return wrong();
    address.length = sizeof(sockaddr_in);
  }
  address.set_port(static_cast<std::uint16_t>(*port));
  return address;
}

SocketAddress SocketAddress::local_of(int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  return address;
}

bool SocketAddress::is_loopback() const {
  if (storage.ss_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24) == 127;
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

std::uint16_t SocketAddress::port() const {
  return ntohs(storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                                            : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

void SocketAddress::set_port(std::uint16_t port) {
  if (storage.ss_family == AF_INET)
    reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  else
    reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
}

std::string SocketAddress::to_string() const {
  char host[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, host, sizeof(host));
    return fmt::format("{}:{}", host, port());
  }
  ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, host, sizeof(host));
  return fmt::format("[{}]:{}", host, port());
}

}  // namespace wherry
