// TlsSession: the server's side of TLS on one connected socket.
#pragma once

#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/error.h"

namespace wherry {

/// Encrypts and decrypts what goes over a non-blocking socket that somebody else owns. Nothing here waits: a call does
/// what it can, and its caller waits for the socket. Records are made many at a time and sent by one system call; what
/// the kernel has no room for is kept here, kMostKeptBytes at most, and an idle session keeps no buffer at all.
///
/// Where the kernel does TLS, and the context allows it (SSL_OP_ENABLE_KTLS), it encrypts what is sent from the end of
/// the handshake on: then the socket is written to as if it were plain, by sendfile(2) too. Source: the kernel's
/// Documentation/networking/tls.rst.
class TlsSession {
 public:
  /// Of plain text that is encrypted at a time: small enough that both texts stay in a core's cache.
  static constexpr std::size_t kBatchBytes = 64 * 1024;
  /// Of encrypted text that waits: a batch, and some answers of the protocol's own (changes of keys). Who makes more of
  /// them necessary, and takes none, is let go.
  static constexpr std::size_t kMostKeptBytes = 4 * kBatchBytes;

  TlsSession(SSL_CTX* context, int fd);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// What a step came to: done, or to be called again when the socket can be read or written.
  enum class Step : std::uint8_t { kDone, kWantsRead, kWantsWrite };

  /// Goes on with the handshake. Errors: kClosed when the client ended it, kInvalid when it went wrong.
  Result<Step> handshake();
  /// Decrypts what is there into `into`; 0 when that is nothing yet. Errors: kClosed at the end of the stream.
  Result<std::size_t> read(std::span<char> into);
  /// True when read() may give bytes without any more from the socket.
  bool has_unread() const { return !starved_ && SSL_has_pending(ssl_.get()) == 1; }

  /// True when the kernel encrypts what is sent: only read(), has_unread() and end() are called then.
  bool kernel_sends() const { return kernel_sends_; }

  /// Encrypts all of `pieces`, taking them off as it does, and sends that; false when some has to wait for flush().
  Result<bool> write(std::span<iovec>& pieces, bool more);
  /// Encrypts `bytes`, at most kBatchBytes, and sends that; false as above.
  Result<bool> write(std::span<const char> bytes);
  /// Sends what waits; true when nothing does any more.
  Result<bool> flush();
  /// About how much plain text could be encrypted now without anything to keep.
  std::size_t room() const;
  /// Memory of this thread that is free to use until the next call of any session: kBatchBytes to encrypt from.
  static std::span<char> plain_text();

  /// Says that no more comes.
  void end();

 private:
  friend struct TlsWire;
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  Result<void> encrypt(std::span<const char> bytes);
  Error failed(int outcome);
  Result<bool> send_out(bool more);
  bool give_to_kernel(const void* keys);

  int fd_;
  bool kernel_sends_ = false;
  unsigned char next_kind_ = 0;  ///< of the record that OpenSSL writes next, where that is no data; with kernel_sends_
  bool starved_ = false;
  std::vector<char> kept_;  ///< encrypted, waits for room
  std::size_t kept_sent_ = 0;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace wherry
