// Connection: HTTP/1.1 as a client of a load speaks it: one request at a time, keep-alive, bodies dropped unless
// wanted.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/load/stream.h"
#include "common/oci/hasher.h"

namespace wherry::bench {

struct Request {
  std::string_view method = "GET";
  std::string target;
  std::string headers = {};          ///< whole lines with their CRLF
  std::span<const iovec> body = {};  ///< as it goes out; its Content-Length or chunks are the caller's
  Hasher* hasher = nullptr;          ///< takes in the answer's body
  std::string* text = nullptr;       ///< gets the answer's body, at most kMaxTextBytes
};

/// What came back; errors of the server are answers, too.
struct Answer {
  int status = 0;
  std::uint64_t body_bytes = 0;
  std::string location;   ///< path and query alone
  Duration first_byte{};  ///< from sending the request to the first byte of the body, or of the head if there is none
};

/// Connects at the first request, and again after a broken or closed connection. Errors: kUpstream, kClosed, kTimeout.
class Connection {
 public:
  static constexpr std::size_t kMaxTextBytes = 64 << 20;

  explicit Connection(const Target& target) : target_(target) {}

  Task<Result<Answer>> ask(const Request& request);

 private:
  Task<Result<Answer>> receive(const Request& request, Monotonic begun);
  /// What stands before the next CRLF CRLF, or CRLF; valid until the next read.
  Task<Result<std::string_view>> read_until(std::string_view end);
  Task<Result<void>> take_body(const Request& request, std::uint64_t bytes);
  Task<Result<std::uint64_t>> take_chunks(const Request& request);
  Task<Result<void>> fill();

  const Target& target_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace wherry::bench
