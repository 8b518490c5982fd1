#include "common/net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <functional>

#include "common/base/bytes.h"

namespace wherry {
namespace {

struct Block {
  std::uint32_t first;
  int bits;
};

/// What is not globally reachable. Source: IANA IPv4 Special-Purpose Address Registry.
constexpr Block kNotPublic[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
    {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0a80000, 16}, {0xc6120000, 15},
    {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3},
};

bool is_public_v4(std::uint32_t address) {
  for (const Block& block : kNotPublic)
    if ((address ^ block.first) >> (32 - block.bits) == 0) return false;
  return true;
}

std::uint32_t v4_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

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

SocketAddress SocketAddress::peer_of(int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  return address;
}

SocketAddress SocketAddress::reached_from_here() const {
  SocketAddress reached = *this;
  if (storage.ss_family == AF_INET) {
    auto& address = reinterpret_cast<sockaddr_in*>(&reached.storage)->sin_addr;
    if (address.s_addr == htonl(INADDR_ANY)) address.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    auto& address = reinterpret_cast<sockaddr_in6*>(&reached.storage)->sin6_addr;
    if (IN6_IS_ADDR_UNSPECIFIED(&address)) address = in6addr_loopback;
  }
  return reached;
}

bool SocketAddress::is_loopback() const {
  if (storage.ss_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24) == 127;
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

bool SocketAddress::is_public() const {
  if (storage.ss_family == AF_INET)
    return is_public_v4(ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr));
  if (storage.ss_family != AF_INET6) return false;
  const std::uint8_t* bytes = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr.s6_addr;
  const std::uint32_t first = v4_at(bytes);
  if (first == 0x0064ff9b && v4_at(bytes + 4) == 0 && v4_at(bytes + 8) == 0) return is_public_v4(v4_at(bytes + 12));
  if (first >> 16 == 0x2002) return is_public_v4(v4_at(bytes + 2));  // 6to4
  // Global unicast is 2000::/3, but for Teredo and documentation; what writes an IPv4 address otherwise is outside.
  return first >> 29 == 1 && first != 0x20010000 && first != 0x20010db8;
}

std::uint64_t SocketAddress::host_id() const {
  std::string_view host;
  if (storage.ss_family == AF_INET)
    host = {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr), 4};
  else if (const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage); IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
    host = {reinterpret_cast<const char*>(&v6->sin6_addr) + 12, 4};
  else
    host = {reinterpret_cast<const char*>(&v6->sin6_addr), 8};
  return std::hash<std::string_view>()(host) | 1;
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
