// The head of a request, from hostile bytes: llhttp in strict mode, and before it our own checks for what llhttp lets
// through (reliability notes: request smuggling). Pure: no I/O, one pass each, no allocation but for a refusal's text.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "common/http/request.h"

namespace wherry::http {

/// Why a head is refused: answered with this status, then the connection is closed.
struct Refusal {
  Refusal(int refused_with, std::string why) : status(refused_with), reason(std::move(why)) {}
  int status;
  std::string reason;
};

/// Finds the end of a head as its bytes arrive, and refuses at once what can never become one: bytes that no head
/// contains, line ends that are not CRLF, folded lines, too long a request line, too many headers or bytes.
class HeadScanner {
 public:
  /// Looks at `bytes` (all since the head's start, grown since the last call). Gives the head's length with its empty
  /// line, or 0 when more is needed.
  std::expected<std::size_t, Refusal> scan(std::string_view bytes);
  void reset() { *this = HeadScanner(); }

 private:
  std::size_t scanned_ = 0;
  std::size_t line_start_ = 0;
  std::size_t lines_ = 0;
};

/// Parses a whole head (as HeadScanner measured it). Refused beyond llhttp's own errors: no Host or two, a target that
/// is not in origin form, Transfer-Encoding other than "chunked" or on HTTP/1.0 or beside Content-Length, several
/// Content-Lengths or one over 2^63-1, empty header names, Upgrade to anything (but `h2c`, which is ignored).
/// Source: RFC 9112; RFC 9110 7.8.
std::expected<void, Refusal> parse_head(std::string_view head, Request& request);

}  // namespace wherry::http
