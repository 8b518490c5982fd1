#include "bench/followers/plain.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/bytes.h"
#include "common/http/request.h"

namespace wherry::bench {

Result<UniqueFd> connect_to(const SocketAddress& address, bool blocking) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error(errno, "socket");
  const int one = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (::connect(fd.get(), address.raw(), address.length) != 0) return system_error(errno, "connect");
  if (!blocking && ::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return system_error(errno, "fcntl");
  return fd;
}

std::string_view field_of(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!http::equal_ignoring_case(line.substr(0, name.size()), name)) continue;
    line.remove_prefix(name.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    return line;
  }
  return {};
}

Result<Plain> Plain::connect(const std::string& host_port) {
  const auto address = SocketAddress::parse(host_port);
  if (!address) return address.error();
  auto fd = connect_to(*address, true);
  if (!fd) return fd.error();
  return Plain(std::move(*fd));
}

Result<void> Plain::send(std::string_view request) {
  while (!request.empty()) {
    const ssize_t sent = ::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return system_error(errno, "send");
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<void> Plain::fill() {
  std::array<char, 16384> piece;
  const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
  if (got < 0) return system_error(errno, "recv");
  if (got == 0) return Error(ErrorKind::kUpstream, "the connection ended before the answer");
  pending_.append(piece.data(), static_cast<std::size_t>(got));
  return {};
}

Result<PlainAnswer> Plain::answer(bool head_only) {
  std::size_t end = 0;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos)
    if (auto filled = fill(); !filled) return filled.error();
  const std::string_view head = std::string_view(pending_).substr(0, end);
  PlainAnswer answer;
  answer.status =
      static_cast<int>(parse_decimal(head.substr(std::min<std::size_t>(9, head.size()), 3), 999).value_or(0));
  answer.digest = field_of(head, "docker-content-digest");
  const auto length = parse_decimal(field_of(head, "content-length"), INT64_MAX).value_or(0);
  const std::size_t whole = end + 4 + (head_only ? 0 : static_cast<std::size_t>(length));
  while (pending_.size() < whole)
    if (auto filled = fill(); !filled) return filled.error();
  pending_.erase(0, whole);
  return answer;
}

}  // namespace wherry::bench
