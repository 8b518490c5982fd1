#include "common/net/socket.h"

#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/clock.h"
#include "common/net/pieces.h"

namespace wherry {
namespace {

constexpr std::size_t kMostPieces = 1024;  // UIO_MAXIOV of Linux: sendmsg(2) takes no more

constexpr std::size_t kLeastRecordBytes = 16 * 1024;  // of plain text; less costs a record and a system call as well

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Error broken(int error) {
  return Error(ErrorKind::kClosed, "{}", system_error(error, "the connection broke").message());
}

}  // namespace

Task<Result<void>> Socket::accept_tls(SSL_CTX* context, std::chrono::milliseconds limit) {
  tls_ = std::make_unique<TlsSession>(context, fd_.get());
  const auto deadline = Clock::system().monotonic() + limit;
  while (true) {
    auto step = tls_->handshake();
    if (!step) co_return step.error();
    if (*step == TlsSession::Step::kDone) co_return Result<void>();
    const auto direction = *step == TlsSession::Step::kWantsRead ? Poller::kReadable : Poller::kWritable;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::system().monotonic());
    if (left <= left.zero()) co_return Error(ErrorKind::kTimeout, "the handshake of TLS did not end in time");
    auto ready = co_await poller_.wait(direction, left);
    if (!ready) co_return ready.error();
  }
}

Result<std::size_t> Socket::try_read(std::span<char> into) {
  if (tls_ != nullptr) return tls_->read(into);
  const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) return Error(ErrorKind::kClosed, "the other side ended the connection");
  if (would_block(errno)) return 0;
  return broken(errno);
}

Task<Result<std::size_t>> Socket::read(std::span<char> into, std::chrono::milliseconds limit) {
  while (true) {
    if (tls_ != nullptr) {
      auto got = tls_->read(into);
      if (!got) co_return got.error();
      if (*got > 0) co_return *got;
    } else {
      const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
      if (got >= 0) co_return static_cast<std::size_t>(got);
      if (!would_block(errno)) co_return broken(errno);
    }
    auto ready = co_await poller_.wait(Poller::kReadable, limit);
    if (!ready) co_return ready.error();
  }
}

Result<bool> Socket::try_write(std::span<iovec>& pieces, bool more) {
  if (encrypts_here()) return tls_->write(pieces, more);
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
  if (encrypts_here()) co_return co_await send_encrypted(file, offset, bytes, limit);
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

Task<Result<std::size_t>> Socket::send_encrypted(int file, std::uint64_t offset, std::size_t bytes,
                                                 std::chrono::milliseconds limit) {
  if (closed()) co_return Error(ErrorKind::kClosed, "the connection was closed");
  // No more is encrypted than there is room for: thousands of slow readers would keep the rest of it in memory.
  const std::size_t most = std::min({bytes, TlsSession::kBatchBytes, std::max(tls_->room(), kLeastRecordBytes)});
  const auto plain = TlsSession::plain_text().first(most);
  ssize_t got = 0;
  do got = ::pread(file, plain.data(), plain.size(), static_cast<off_t>(offset));
  while (got < 0 && errno == EINTR);
  if (got < 0) co_return system_error(errno, "read a file");
  if (got == 0) co_return Error(ErrorKind::kIo, "a file is shorter than it was when it was opened");
  auto sent = tls_->write(plain.first(static_cast<std::size_t>(got)));
  while (sent && !*sent) {
    auto ready = co_await poller_.wait(Poller::kWritable, limit);
    if (!ready) co_return ready.error();
    sent = tls_->flush();
  }
  if (!sent) co_return sent.error();
  co_return static_cast<std::size_t>(got);
}

void Socket::cork(bool on) {
  const int value = on ? 1 : 0;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

void Socket::keep_unsent_below(int bytes) {
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void Socket::shutdown_write() {
  if (tls_ != nullptr) tls_->end();
  ::shutdown(fd_.get(), SHUT_WR);
}

void Socket::reset_on_close() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

}  // namespace wherry
