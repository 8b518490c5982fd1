#include "common/net/tls_session.h"

#include <linux/sock_diag.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/base/check.h"
#include "common/net/pieces.h"

namespace wherry {
namespace {

// What OpenSSL asks a BIO about the kernel's TLS. Its own sockets know these; bio.h has the numbers of two of them, and
// names the others in a comment.
constexpr int kControlGiveToKernel = 72;  // BIO_CTRL_SET_KTLS: `pointer` begins with a tls_crypto_info
constexpr int kControlKernelSends = BIO_CTRL_GET_KTLS_SEND;
constexpr int kControlNextKind = 74;  // BIO_CTRL_SET_KTLS_TX_SEND_CTRL_MSG
constexpr int kControlNoKind = 75;    // BIO_CTRL_CLEAR_KTLS_TX_CTRL_MSG

/// Of the keys of one direction; 0 for a cipher that is not known here.
socklen_t bytes_of(const tls_crypto_info& keys) {
  switch (keys.cipher_type) {
    case TLS_CIPHER_AES_GCM_128: return sizeof(tls12_crypto_info_aes_gcm_128);
    case TLS_CIPHER_AES_GCM_256: return sizeof(tls12_crypto_info_aes_gcm_256);
    case TLS_CIPHER_CHACHA20_POLY1305: return sizeof(tls12_crypto_info_chacha20_poly1305);
    default: return 0;
  }
}

/// Has the kernel send a record of another kind than data; what sendmsg(2) gives.
ssize_t send_record(int fd, unsigned char kind, const char* bytes, std::size_t count) {
  iovec piece{const_cast<char*>(bytes), count};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(kind))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_TLS;
  header->cmsg_type = TLS_SET_RECORD_TYPE;
  header->cmsg_len = CMSG_LEN(sizeof(kind));
  std::memcpy(CMSG_DATA(header), &kind, sizeof(kind));
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

/// The way between OpenSSL and the socket: it reads from the socket as it likes, and writes into this thread's memory,
/// from which all records of a call are sent at once.
struct TlsWire {
  static std::vector<char>& out() {
    thread_local std::vector<char> bytes;
    return bytes;
  }

  static int write(BIO* bio, const char* bytes, std::size_t count, std::size_t* written) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    if (session->kernel_sends_) return write_record(bio, *session, bytes, count, written);
    out().insert(out().end(), bytes, bytes + count);
    *written = count;
    return 1;
  }

  /// A ticket, or an alert: data do not come this way any more. At once, for nothing else marks where it ends.
  static int write_record(BIO* bio, TlsSession& session, const char* bytes, std::size_t count, std::size_t* written) {
    BIO_clear_retry_flags(bio);
    const ssize_t sent = session.next_kind_ == 0 ? ::send(session.fd_, bytes, count, MSG_NOSIGNAL)
                                                 : send_record(session.fd_, session.next_kind_, bytes, count);
    *written = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
    if (sent > 0) session.next_kind_ = 0;
    return sent > 0 ? 1 : 0;
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

  static long control(BIO* bio, int command, long number, void* pointer) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    switch (command) {
      case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
      case BIO_CTRL_FLUSH: return 1;
      case kControlGiveToKernel: return number != 0 && session->give_to_kernel(pointer) ? 1 : 0;  // what is sent alone
      case kControlKernelSends: return session->kernel_sends_ ? 1 : 0;
      case kControlNextKind: session->next_kind_ = static_cast<unsigned char>(number); return 1;
      case kControlNoKind: session->next_kind_ = 0; return 1;
      default: return 0;
    }
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

/// From the next byte on the kernel encrypts. Not where it cannot, and not while something that is encrypted already
/// has to wait for room.
bool TlsSession::give_to_kernel(const void* keys) {
  const auto& info = *static_cast<const tls_crypto_info*>(keys);
  const socklen_t bytes = bytes_of(info);
  if (bytes == 0) return false;
  auto sent = send_out(false);
  if (!sent || !*sent) return false;
  // A kernel without it is asked once: as root the question makes it look for a module, each time.
  static std::atomic<bool> is_missing{false};
  if (is_missing.load(std::memory_order_relaxed)) return false;
  if (::setsockopt(fd_, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) != 0) {
    if (errno == ENOENT || errno == ENOPROTOOPT) is_missing.store(true, std::memory_order_relaxed);
    return false;
  }
  kernel_sends_ = ::setsockopt(fd_, SOL_TLS, TLS_TX, &info, bytes) == 0;
  return kernel_sends_;
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
  const int came_to = outcome == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), outcome);
  const bool waits = came_to == SSL_ERROR_WANT_READ;
  if (came_to == SSL_ERROR_WANT_WRITE) return Step::kWantsWrite;  // the kernel has no room for a ticket
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
