// HttpClient: a blocking keep-alive connection that costs as little as it can, so that the server is what is measured.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/net/address.h"
#include "common/oci/hasher.h"

namespace wherry::bench {

/// The head of an answer.
struct Answer {
  int status = 0;
  std::uint64_t body_bytes = 0;
  std::string location;
  Duration first_byte{};  ///< from sending the request to the first byte of the answer's body
};

/// One connection, one request at a time. Errors of all: kUpstream with what went wrong.
class HttpClient {
 public:
  explicit HttpClient(SocketAddress server) : server_(server) {}

  /// Sends a request and takes in its answer. The body is dropped inside the kernel (MSG_TRUNC), without a copy, unless
  /// `hasher` wants to see it. Connects when there is no connection. `headers` are whole lines with their CRLF.
  Result<Answer> request(std::string_view method, std::string_view target, std::string_view headers,
                         std::span<const iovec> body, Hasher* hasher);

  /// The host that it asks, for a Host header.
  std::string host() const { return server_.to_string(); }

 private:
  Result<void> connect();
  Result<void> send(std::span<iovec> pieces);
  Result<Answer> receive(bool has_body, Hasher* hasher, Monotonic begun);

  SocketAddress server_;
  UniqueFd socket_;
  std::string buffer_;
};

}  // namespace wherry::bench
