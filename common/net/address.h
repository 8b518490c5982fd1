// Addresses to listen on, as flags and configuration name them.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry {

/// A numeric address and port, e.g. "127.0.0.1:5000" or "[::1]:5000".
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// Errors: kInvalid when the text is not HOST:PORT with a numeric host ("localhost" is taken as 127.0.0.1).
  static Result<SocketAddress> parse(std::string_view text);
  /// The address that a socket is bound to (its own) or connected to (its peer).
  static SocketAddress local_of(int fd);
  static SocketAddress peer_of(int fd);

  /// Where this machine reaches whoever listens at this address: the same, or loopback for all addresses (0.0.0.0, ::).
  SocketAddress reached_from_here() const;

  bool is_loopback() const;
  /// False for loopback, private, shared, link-local, unspecified, multicast and reserved addresses, also when they are
  /// written as IPv6 ones. Source: RFC 6890 and the IANA registries after it.
  bool is_public() const;
  /// A number for who has this address, whatever the port; of IPv6 its first 64 bits, which are one host or site.
  /// Never 0; two hosts may share one by chance.
  std::uint64_t host_id() const;
  std::uint16_t port() const;
  void set_port(std::uint16_t port);
  std::string to_string() const;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

}  // namespace wherry
