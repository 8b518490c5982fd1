#include "bench/load/http_client.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/base/bytes.h"
#include "common/http/request.h"
#include "common/net/pieces.h"

namespace wherry::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kMaxHeadBytes = 64 * 1024;

Error wrong(std::string_view what) { return Error(ErrorKind::kUpstream, "{}", what); }

/// The value of a field in a head whose lines end in CRLF; empty when it is not there.
std::string_view field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    auto line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!http::equal_ignoring_case(line.substr(0, name.size()), name)) continue;
    line.remove_prefix(name.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    return line;
  }
  return {};
}

}  // namespace

Result<void> HttpClient::connect() {
  socket_.reset(::socket(server_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_ || ::connect(socket_.get(), server_.raw(), server_.length) != 0)
    return system_error(errno, "connect to " + server_.to_string());
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return {};
}

Result<void> HttpClient::send(std::span<iovec> pieces) {
  while (!pieces.empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) return system_error(errno, "send");
    take_off(pieces, static_cast<std::size_t>(sent));
  }
  return {};
}

Result<Answer> HttpClient::receive(bool has_body, Hasher* hasher, Monotonic begun) {
  buffer_.resize(kReadBytes);
  std::size_t filled = 0;
  std::size_t head_end = std::string::npos;
  while (head_end == std::string::npos) {
    if (filled > kMaxHeadBytes) return wrong("an endless head");
    // What comes with the head has to be copied: little enough that it does not count.
    const ssize_t got = ::recv(socket_.get(), buffer_.data() + filled, 4096, 0);
    if (got <= 0) return got < 0 ? system_error(errno, "receive") : wrong("the connection ended before the answer");
    filled += static_cast<std::size_t>(got);
    head_end = std::string_view(buffer_.data(), filled).find("\r\n\r\n");
  }
  const std::string_view head(buffer_.data(), head_end + 2);
  Answer answer;
  answer.status = static_cast<int>(parse_decimal(head.substr(9, 3), 999).value_or(0));
  answer.location = field(head, "location");
  const bool closes = http::equal_ignoring_case(field(head, "connection"), "close");
  if (!has_body || answer.status == 204 || answer.status == 304) return answer;
  const auto length = parse_decimal(field(head, "content-length"), INT64_MAX);
  if (!length) return wrong("an answer without Content-Length");
  answer.body_bytes = *length;
  const std::size_t early = filled - (head_end + 4);
  if (early > *length) return wrong("more bytes than the answer has");
  if (hasher != nullptr) hasher->update(std::string_view(buffer_).substr(head_end + 4, early));
  if (early > 0) answer.first_byte = Clock::system().monotonic() - begun;
  for (std::uint64_t left = *length - early; left > 0;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadBytes));
    const ssize_t got = ::recv(socket_.get(), buffer_.data(), want, hasher == nullptr ? MSG_TRUNC : 0);
    if (got <= 0) return got < 0 ? system_error(errno, "receive") : wrong("a body that ends short");
    if (left == *length) answer.first_byte = Clock::system().monotonic() - begun;
    if (hasher != nullptr) hasher->update(std::string_view(buffer_.data(), static_cast<std::size_t>(got)));
    left -= static_cast<std::uint64_t>(got);
  }
  if (closes) socket_.reset();
  return answer;
}

Result<Answer> HttpClient::request(std::string_view method, std::string_view target, std::string_view headers,
                                   std::span<const iovec> body, Hasher* hasher) {
  if (!socket_)
    if (auto connected = connect(); !connected) return std::move(connected.error());
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", method, target, host(), headers);
  std::vector<iovec> pieces{{head.data(), head.size()}};
  pieces.insert(pieces.end(), body.begin(), body.end());
  const Monotonic begun = Clock::system().monotonic();
  auto sent = send(pieces);
  auto answer = sent ? receive(method != "HEAD", hasher, begun) : Result<Answer>(std::move(sent.error()));
  if (!answer) socket_.reset();
  return answer;
}

}  // namespace wherry::bench
