#include "common/net/tls_session.h"

#include <linux/sock_diag.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/base/check.h"
#include "common/net/pieces.h"

namespace wherry {

/// The way between OpenSSL and the socket: it reads from the socket as it likes, and writes into this thread's memory,
/// from which all records of a call are sent at once.
struct TlsWire {
  static std::vector<char>& out() {
    thread_local std::vector<char> bytes;
    return bytes;
  }

  static int write(BIO*, const char* bytes, std::size_t count, std::size_t* written) {
    out().insert(out().end(), bytes, bytes + count);
    *written = count;
    return 1;
  }

  static int read(BIO* bio, char* into, std::size_t count, std::size_t* got) {
    BIO_clear_retry_flags(bio);
    const auto* session = static_cast<const TlsSession*>(BIO_get_data(bio));
    const ssize_t received = ::recv(session->fd_, into, count, 0);
    *got = received > 0 ? static_cast<std::size_t>(received) : 0;
    if (received > 0) return 1;
    if (received == 0)
      BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
      BIO_set_retry_read(bio);
    return 0;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO* make(TlsSession& session) {
    static BIO_METHOD* const kMethod = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wherry socket");
      BIO_meth_set_write_ex(method, &TlsWire::write);
      BIO_meth_set_read_ex(method, &TlsWire::read);
      BIO_meth_set_ctrl(method, &TlsWire::control);
      return method;
    }();
    BIO* bio = BIO_new(kMethod);
    WHERRY_CHECK(bio != nullptr);
    BIO_set_data(bio, &session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsSession::TlsSession(SSL_CTX* context, int fd) : fd_(fd), ssl_(SSL_new(context)) {
  WHERRY_CHECK(ssl_ != nullptr);
  BIO* bio = TlsWire::make(*this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

Error TlsSession::failed(int outcome) {
  const int kind = SSL_get_error(ssl_.get(), outcome);
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (kind == SSL_ERROR_ZERO_RETURN) return Error(ErrorKind::kClosed, "the other side ended the connection");
  if (kind == SSL_ERROR_SYSCALL || code == 0) return Error(ErrorKind::kClosed, "the connection broke");
  const char* reason = ERR_reason_error_string(code);
  return Error(ErrorKind::kInvalid, "TLS: {}", reason == nullptr ? "failed" : reason);
}

Result<TlsSession::Step> TlsSession::handshake() {
  if (!kept_.empty()) {
    auto sent = send_out(false);
    if (!sent) return sent.error();
    if (!*sent) return Step::kWantsWrite;
  }
  ERR_clear_error();
  const int outcome = SSL_do_handshake(ssl_.get());
  const bool waits = outcome != 1 && SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ;
  std::optional<Error> why;
  if (outcome != 1 && !waits) why = failed(outcome);
  auto sent = send_out(false);  // an alert too, when it failed
  if (why) return *why;
  if (!sent) return sent.error();
  if (!*sent) return Step::kWantsWrite;
  return waits ? Step::kWantsRead : Step::kDone;
}

Result<std::size_t> TlsSession::read(std::span<char> into) {
  std::size_t total = 0;
  starved_ = false;
  while (total < into.size()) {
    std::size_t got = 0;
    ERR_clear_error();
    const int outcome = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got);
    if (outcome == 1) {
      total += got;
      if (SSL_has_pending(ssl_.get()) == 0) break;
      continue;
    }
    if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) {
      starved_ = true;
      break;
    }
    Error why = failed(outcome);
    if (!TlsWire::out().empty()) [[maybe_unused]]
      auto alerted = send_out(false);
    if (total > 0) break;  // comes again with the next call
    return Error(ErrorKind::kClosed, "{}", why.message());
  }
  if (!TlsWire::out().empty()) {  // the answer to a change of keys
    auto sent = send_out(false);
    if (!sent) return sent.error();
  }
  return total;
}

Result<void> TlsSession::encrypt(std::span<const char> bytes) {
  while (!bytes.empty()) {
    std::size_t written = 0;
    ERR_clear_error();
    const int outcome = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
    if (outcome != 1) {
      TlsWire::out().clear();  // it is this session's, and the memory is every session's
      return Error(ErrorKind::kClosed, "{}", failed(outcome).message());
    }
    bytes = bytes.subspan(written);
  }
  return {};
}

Result<bool> TlsSession::write(std::span<iovec>& pieces, bool more) {
  while (true) {
    if (!kept_.empty()) {
      auto sent = send_out(more);
      if (!sent || !*sent) return sent;
    }
    if (pieces.empty()) return true;
    // Head and body go into one record where they fit.
    const auto plain = plain_text();
    std::size_t filled = 0;
    while (!pieces.empty() && filled < plain.size()) {
      const std::size_t count = std::min(pieces[0].iov_len, plain.size() - filled);
      std::memcpy(plain.data() + filled, pieces[0].iov_base, count);
      filled += count;
      take_off(pieces, count);
    }
    if (auto encrypted = encrypt(plain.first(filled)); !encrypted) return encrypted.error();
    auto sent = send_out(more || !pieces.empty());
    if (!sent || !*sent) return sent;
  }
}

Result<bool> TlsSession::write(std::span<const char> bytes) {
  if (auto encrypted = encrypt(bytes); !encrypted) return encrypted.error();
  return send_out(false);
}

Result<bool> TlsSession::flush() {
  if (kept_.empty()) return true;
  return send_out(false);
}

/// Sends what was kept and then what this call made; keeps the rest. Leaves this thread's memory empty.
Result<bool> TlsSession::send_out(bool more) {
  auto& out = TlsWire::out();
  const bool goes_on = !kept_.empty();
  if (kept_.size() + out.size() > kMostKeptBytes) {
    out.clear();
    return Error(ErrorKind::kClosed, "the other side makes answers necessary and takes none");
  }
  if (goes_on) kept_.insert(kept_.end(), out.begin(), out.end());
  std::span<const char> left = goes_on ? std::span<const char>(kept_).subspan(kept_sent_) : std::span<const char>(out);
  std::optional<Error> why;
  while (!left.empty()) {
    const ssize_t sent = ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
      why.emplace(ErrorKind::kClosed, system_error(errno, "the connection broke").message());
    if (sent < 0) break;
    left = left.subspan(static_cast<std::size_t>(sent));
  }
  if (left.empty()) {
    kept_ = {};
    kept_sent_ = 0;
  } else if (goes_on) {
    kept_sent_ = static_cast<std::size_t>(left.data() - kept_.data());
  } else {
    kept_.assign(left.begin(), left.end());
  }
  out.clear();
  if (why) return *why;
  return kept_.empty();
}

std::size_t TlsSession::room() const {
  std::uint32_t figures[SK_MEMINFO_VARS] = {};
  socklen_t bytes = sizeof(figures);
  if (::getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, figures, &bytes) != 0) return kBatchBytes;
  const auto used = figures[SK_MEMINFO_WMEM_QUEUED];
  const auto size = figures[SK_MEMINFO_SNDBUF];
  return used < size ? size - used : 0;
}

std::span<char> TlsSession::plain_text() {
  thread_local const auto kBytes = std::make_unique_for_overwrite<char[]>(kBatchBytes);
  return {kBytes.get(), kBatchBytes};
}

void TlsSession::end() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  [[maybe_unused]] auto sent = send_out(false);
}

}  // namespace wherry
