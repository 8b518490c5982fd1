// Plain: HTTP/1.1 over a blocking socket, one request at a time, for clients that must cost little.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/net/address.h"

namespace wherry::bench {

/// A connected socket without delay; `blocking` as it stays. Errors: those of the system.
Result<UniqueFd> connect_to(const SocketAddress& address, bool blocking);

/// The value of a field in a head whose lines end in CRLF; empty when it is not there.
std::string_view field_of(std::string_view head, std::string_view name);

/// What is wanted of an answer.
struct PlainAnswer {
  int status = 0;
  std::string digest;  ///< Docker-Content-Digest
};

class Plain {
 public:
  static Result<Plain> connect(const std::string& host_port);
  /// Sends a whole request. Errors: kUpstream when the connection ends.
  Result<void> send(std::string_view request);
  /// The next answer; its body, of a Content-Length, is dropped. `head_only`: it has none.
  Result<PlainAnswer> answer(bool head_only);
  int fd() const { return fd_.get(); }

 private:
  explicit Plain(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> fill();

  UniqueFd fd_;
  std::string pending_;
};

}  // namespace wherry::bench
