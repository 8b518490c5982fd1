#include "common/net/socket.h"

#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/net/pieces.h"

namespace wherry {
namespace {

constexpr std::size_t kMostPieces = 1024;  // UIO_MAXIOV of Linux: sendmsg(2) takes no more

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Error broken(int error) {
  return Error(ErrorKind::kClosed, "{}", system_error(error, "the connection broke").message());
}

}  // namespace

Result<std::size_t> Socket::try_read(std::span<char> into) {
  const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) return Error(ErrorKind::kClosed, "the other side ended the connection");
  if (would_block(errno)) return 0;
  return broken(errno);
}

Task<Result<std::size_t>> Socket::read(std::span<char> into, std::chrono::milliseconds limit) {
  while (true) {
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
    if (got >= 0) co_return static_cast<std::size_t>(got);
    if (!would_block(errno)) co_return broken(errno);
    auto ready = co_await poller_.wait(Poller::kReadable, limit);
    if (!ready) co_return ready.error();
  }
}

Result<bool> Socket::try_write(std::span<iovec>& pieces, bool more) {
  while (!pieces.empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = std::min(pieces.size(), kMostPieces);
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (sent < 0) {
      if (would_block(errno)) return false;
      return broken(errno);
    }
    take_off(pieces, static_cast<std::size_t>(sent));
  }
  return true;
}

Task<Result<void>> Socket::write(std::span<iovec> pieces, bool more, std::chrono::milliseconds limit) {
  while (true) {
    auto done = try_write(pieces, more);
    if (!done) co_return done.error();
    if (*done) co_return Result<void>();
    auto ready = co_await poller_.wait(Poller::kWritable, limit);
    if (!ready) co_return ready.error();
  }
}

Task<Result<std::size_t>> Socket::send_file(int file, std::uint64_t offset, std::size_t bytes,
                                            std::chrono::milliseconds limit) {
  while (true) {
    // A body that comes slowly, to a client that takes it quickly, waits for the socket never: it is asked here.
    if (closed()) co_return Error(ErrorKind::kClosed, "the connection was closed");
    if (full_) {
      auto ready = co_await poller_.wait(Poller::kWritable, limit);
      if (!ready) co_return ready.error();
    }
    auto position = static_cast<off_t>(offset);
    const ssize_t sent = ::sendfile(fd_.get(), file, &position, bytes);
    full_ = sent < static_cast<ssize_t>(bytes);
    if (sent > 0) co_return static_cast<std::size_t>(sent);
    if (sent == 0) co_return Error(ErrorKind::kIo, "a file is shorter than it was when it was opened");
    if (errno == EIO) co_return system_error(errno, "read a file");
    if (!would_block(errno)) co_return broken(errno);
  }
}

void Socket::cork(bool on) {
  const int value = on ? 1 : 0;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

void Socket::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

void Socket::reset_on_close() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

}  // namespace wherry
