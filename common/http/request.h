// Request: the head of an HTTP/1.1 request, checked and in pieces.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::http {

constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kMaxHeadBytes = 32 * 1024;
constexpr std::size_t kMaxRequestLineBytes = 8 * 1024;

struct Header {
  std::string_view name;
  std::string_view value;
};

/// A request's head. All views point into the buffer that it was parsed from.
struct Request {
  std::string_view method;
  std::string_view path;   ///< As sent, before the '?'.
  std::string_view query;  ///< As sent, after the '?'; empty when there is none.
  std::string_view host;
  std::array<Header, kMaxHeaders> header_list;
  std::size_t header_count = 0;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::optional<std::uint64_t> content_length;

  /// The value of the first header of that name (any case), or empty. O(headers).
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  /// All values of that name joined by ", ", as RFC 9110 5.3 allows for list headers.
  std::string joined_header(std::string_view name) const;
  /// Path and query as sent, by which a signed request names what it asks for.
  std::string target() const;
  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  bool is_head() const { return method == "HEAD"; }
};

/// ASCII case does not count in header names and most tokens.
bool equal_ignoring_case(std::string_view a, std::string_view b);

inline constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> is_one{};
  for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    is_one[c] = true;
  return is_one;
}();

/// Whether a header name or method may hold `c` (RFC 9110 5.6.2, "token").
inline bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

}  // namespace wherry::http
