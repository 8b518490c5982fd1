#include "bench/load/stream.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace wherry::bench {
namespace {

// Of one body at a time: who is fed as fast as it reads would keep all others from seeing what came for them.
constexpr std::uint64_t kFirstTurnBytes = 64 * 1024;
constexpr std::uint64_t kTurnBytes = 1024 * 1024;
constexpr std::size_t kDropBytes = 256 * 1024;

}  // namespace

Result<Target> Target::make(const std::string& host_port, bool with_tls, const std::string& cipher) {
  auto address = SocketAddress::parse(host_port);
  if (!address) return address.error();
  Target target{*address, host_port};
  if (!with_tls) return target;
  target.tls = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_client_method()), FreeTls());
  SSL_CTX_set_min_proto_version(target.tls.get(), TLS1_3_VERSION);
  SSL_CTX_set_mode(target.tls.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!cipher.empty() && SSL_CTX_set_ciphersuites(target.tls.get(), cipher.c_str()) != 1)
    return Error(ErrorKind::kInvalid, "--cipher: OpenSSL knows no {}", cipher);
  return target;
}

Task<Result<std::unique_ptr<Stream>>> Stream::connect(const Target& target) {
  UniqueFd fd(::socket(target.address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) co_return system_error(errno, "socket");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(fd.get(), target.address.raw(), target.address.length) != 0 && errno != EINPROGRESS)
    co_return system_error(errno, "connect to " + target.host);
  std::unique_ptr<Stream> stream(new Stream(Loop::current(), std::move(fd)));
  auto ready = co_await stream->socket_.writable(kSilence);
  if (!ready) co_return ready.error();
  int failed = 0;
  socklen_t length = sizeof(failed);
  ::getsockopt(stream->socket_.fd(), SOL_SOCKET, SO_ERROR, &failed, &length);
  if (failed != 0) co_return system_error(failed, "connect to " + target.host);
  if (target.tls) {
    auto shaken = co_await stream->shake_hands(target);
    if (!shaken) co_return shaken.error();
  }
  co_return stream;
}

Task<Result<void>> Stream::shake_hands(const Target& target) {
  tls_.reset(SSL_new(target.tls.get()));
  SSL_set_fd(tls_.get(), socket_.fd());
  while (true) {
    ERR_clear_error();
    const int done = SSL_connect(tls_.get());
    if (done == 1) co_return Result<void>();
    auto on = co_await after(done);
    if (!on) co_return on.error();
  }
}

Task<Result<void>> Stream::after(int returned) {
  const int reason = SSL_get_error(tls_.get(), returned);
  if (reason == SSL_ERROR_WANT_READ) {
    auto ready = co_await socket_.readable(kSilence);
    co_return ready;
  }
  if (reason == SSL_ERROR_WANT_WRITE) {
    auto ready = co_await socket_.writable(kSilence);
    co_return ready;
  }
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  co_return Error(ErrorKind::kClosed, "TLS: {}", text != nullptr ? text : "the connection broke");
}

Task<Result<void>> Stream::write(std::span<iovec> pieces) {
  if (!tls_) {
    auto written = co_await socket_.write(pieces, false, kSilence);
    co_return written;
  }
  for (const iovec& piece : pieces)
    for (std::size_t at = 0; at < piece.iov_len;) {
      ERR_clear_error();
      std::size_t sent = 0;
      const int done = SSL_write_ex(tls_.get(), static_cast<char*>(piece.iov_base) + at, piece.iov_len - at, &sent);
      at += sent;
      if (done == 1) continue;
      auto on = co_await after(done);
      if (!on) co_return on.error();
    }
  co_return Result<void>();
}

Task<Result<std::size_t>> Stream::read(std::span<char> into) {
  if (!tls_) {
    auto got = co_await socket_.read(into, kSilence);
    co_return got;
  }
  while (true) {
    ERR_clear_error();
    std::size_t got = 0;
    const int done = SSL_read_ex(tls_.get(), into.data(), into.size(), &got);
    if (done == 1) co_return got;
    if (SSL_get_error(tls_.get(), done) == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
    auto on = co_await after(done);
    if (!on) co_return on.error();
  }
}

Task<Result<void>> Stream::drop(std::uint64_t bytes) {
  static thread_local std::string waste(kDropBytes, '\0');
  std::uint64_t turn_left = kFirstTurnBytes;
  while (bytes > 0) {
    if (turn_left == 0) {
      co_await Loop::current().yield();
      turn_left = kTurnBytes;
    }
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>({bytes, kDropBytes, turn_left}));
    std::size_t dropped = 0;
    if (tls_) {
      auto got = co_await read(std::span(waste).first(want));
      if (!got) co_return got.error();
      dropped = *got;
    } else {
      const ssize_t got = ::recv(socket_.fd(), waste.data(), want, MSG_TRUNC);
      if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) co_return system_error(errno, "receive");
        auto ready = co_await socket_.readable(kSilence);
        if (!ready) co_return ready.error();
        continue;
      }
      dropped = static_cast<std::size_t>(got);
    }
    if (dropped == 0) co_return Error(ErrorKind::kClosed, "a body that ends short");
    bytes -= dropped;
    turn_left -= dropped;
  }
  co_return Result<void>();
}

}  // namespace wherry::bench
