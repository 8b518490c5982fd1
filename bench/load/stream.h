// Stream: the client's end of a TCP or TLS connection, which costs as little as it can.
#pragma once

#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/async/loop.h"
#include "common/async/task.h"
#include "common/base/error.h"
#include "common/net/address.h"
#include "common/net/socket.h"

namespace wherry::bench {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};

/// Whom a load is put on.
struct Target {
  SocketAddress address;
  std::string host;                        ///< for Host and the name in TLS
  std::shared_ptr<SSL_CTX> tls = nullptr;  ///< null: plain

  /// TLS 1.3 alone, `cipher` if not empty (a name such as TLS_AES_128_GCM_SHA256); certificates are not looked at.
  /// Errors: kInvalid.
  static Result<Target> make(const std::string& host_port, bool with_tls, const std::string& cipher);
};

/// A connection on the current loop. One operation at a time. Errors of all: kUpstream, kClosed, kTimeout after
/// kSilence.
class Stream {
 public:
  static constexpr std::chrono::seconds kSilence{120};

  static Task<Result<std::unique_ptr<Stream>>> connect(const Target& target);

  /// Writes all, changing the pieces as it goes on.
  Task<Result<void>> write(std::span<iovec> pieces);
  /// Reads what is there, waiting for the first byte; 0 at the end.
  Task<Result<std::size_t>> read(std::span<char> into);
  /// Takes that many bytes off and throws them away: plain ones are never copied out of the kernel.
  Task<Result<void>> drop(std::uint64_t bytes);

 private:
  Stream(Loop& loop, UniqueFd fd) : socket_(loop, std::move(fd)) {}
  Task<Result<void>> shake_hands(const Target& target);
  /// Waits for what OpenSSL wants before it can go on; an error when it cannot.
  Task<Result<void>> after(int returned);

  Socket socket_;
  std::unique_ptr<SSL, FreeTls> tls_;
};

}  // namespace wherry::bench
