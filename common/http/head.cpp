#include "common/http/head.h"

#include <fmt/format.h>
#include <llhttp.h>

#include <algorithm>

#include "common/base/byte_scan.h"
#include "common/base/bytes.h"

namespace wherry::http {
namespace {

std::unexpected<Refusal> refuse(int status, std::string reason) {
  return std::unexpected(Refusal{status, std::move(reason)});
}

bool is_printable(std::string_view text) {
  const auto which = [](SomeBytes bytes) { return bytes.below(0x20) | bytes.at_least(0x7f); };
  const auto is_one = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f;
  };
  return find_byte(text, which, is_one) == std::string_view::npos;
}

/// All control bytes but the tab. A token is a value of some hundred bytes that each request has.
bool holds_control(std::string_view value) {
  const auto which = [](SomeBytes bytes) { return bytes.below(0x20) | bytes.equal_to(0x7f); };
  const auto is_one = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  return find_byte(value, which, is_one) != std::string_view::npos;
}

std::expected<void, Refusal> check_request_line(std::string_view line) {
  if (line.empty() || !is_token_char(line[0])) return refuse(400, "the request line does not start with a method");
  if (!is_printable(line)) return refuse(400, "the request line holds a byte that is not printable ASCII");
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos || second == first + 1 || line.find(' ', second + 1) != std::string_view::npos)
    return refuse(400, "the request line is not METHOD SP TARGET SP VERSION");
  if (line.substr(0, first) == "CONNECT") return refuse(400, "CONNECT: this server is no tunnel");
  if (line[first + 1] != '/') return refuse(400, "the request target is not in origin form (a path)");
  const auto version = line.substr(second + 1);
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return {};
  return refuse(400, "the version is neither HTTP/1.1 nor HTTP/1.0");
}

std::expected<void, Refusal> check_header_line(std::string_view line) {
  if (line[0] == ' ' || line[0] == '\t') return refuse(400, "a folded header line");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return refuse(400, "a header line without a colon");
  if (colon == 0) return refuse(400, "a header without a name");
  if (!std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), is_token_char))
    return refuse(400, "a header name that is not a token");
  if (holds_control(line.substr(colon + 1))) return refuse(400, "a header value with a control byte");
  return {};
}

}  // namespace

std::expected<std::size_t, Refusal> HeadScanner::scan(std::string_view bytes) {
  while (true) {
    const auto newline = bytes.find('\n', scanned_);
    if (newline == std::string_view::npos) {
      scanned_ = bytes.size();
      const std::size_t line_bytes = bytes.size() - (bytes.ends_with('\r') ? 1 : 0);
      if (lines_ == 0 && line_bytes > kMaxRequestLineBytes) return refuse(414, "the request line is too long");
      if (bytes.size() > kMaxHeadBytes) return refuse(431, "the head is too large");
      // What can already be told from an unfinished first line, is: nobody waits for a line end of a TLS handshake.
      if (lines_ == 0 && !bytes.empty() && !is_token_char(bytes[0]))
        return refuse(400, "the request line does not start with a method");
      return 0;
    }
    if (newline == line_start_ || bytes[newline - 1] != '\r') return refuse(400, "a line that does not end in CRLF");
    const auto line = bytes.substr(line_start_, newline - 1 - line_start_);
    scanned_ = newline + 1;
    line_start_ = scanned_;
    if (line.empty() && lines_ > 0) {
      if (scanned_ > kMaxHeadBytes) return refuse(431, "the head is too large");
      return scanned_;
    }
    if (lines_ == 0 && line.size() > kMaxRequestLineBytes) return refuse(414, "the request line is too long");
    if (lines_ > kMaxHeaders) return refuse(431, "too many headers");
    auto checked = lines_ == 0 ? check_request_line(line) : check_header_line(line);
    if (!checked) return std::unexpected(std::move(checked.error()));
    ++lines_;
  }
}

namespace {

/// Collects what llhttp finds; the head is one contiguous buffer, so each span comes whole.
struct Collector {
  llhttp_t parser;
  Request* request;
  std::string_view url;
};

int on_url(llhttp_t* parser, const char* at, std::size_t length) {
  auto* self = static_cast<Collector*>(parser->data);
  if (!self->url.empty()) return -1;
  self->url = {at, length};
  return 0;
}

int on_field(llhttp_t* parser, const char* at, std::size_t length) {
  Request& request = *static_cast<Collector*>(parser->data)->request;
  if (length == 0 || request.header_count == kMaxHeaders) return -1;
  request.header_list[request.header_count++] = {{at, length}, {}};
  return 0;
}

int on_value(llhttp_t* parser, const char* at, std::size_t length) {
  Request& request = *static_cast<Collector*>(parser->data)->request;
  if (request.header_count == 0) return -1;
  Header& header = request.header_list[request.header_count - 1];
  if (!header.value.empty()) return -1;
  header.value = {at, length};
  while (!header.value.empty() && (header.value.back() == ' ' || header.value.back() == '\t'))
    header.value.remove_suffix(1);
  return 0;
}

int on_headers_complete(llhttp_t*) { return HPE_PAUSED; }

const llhttp_settings_t& settings() {
  static const llhttp_settings_t made = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = on_url;
    s.on_header_field = on_field;
    s.on_header_value = on_value;
    s.on_headers_complete = on_headers_complete;
    return s;
  }();
  return made;
}

bool list_contains(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    auto item = list.substr(0, comma);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (equal_ignoring_case(item, token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

bool is_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_:[]%~").find(c) != std::string_view::npos;
  });
}

std::expected<void, Refusal> take_framing(Request& request) {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  bool close = false;
  bool keep = false;
  for (std::size_t i = 0; i < request.header_count; ++i) {
    const auto [name, value] = request.header_list[i];
    if (equal_ignoring_case(name, "host")) {
      ++hosts;
      request.host = value;
    } else if (equal_ignoring_case(name, "content-length")) {
      ++lengths;
      request.content_length = parse_decimal(without_leading_zeros(value), INT64_MAX);
      if (!request.content_length) return refuse(400, "Content-Length is not a number below 2^63");
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
      ++encodings;
      if (!equal_ignoring_case(value, "chunked")) return refuse(400, "Transfer-Encoding is not just chunked");
      request.chunked = true;
    } else if (equal_ignoring_case(name, "connection")) {
      close = close || list_contains(value, "close");
      keep = keep || list_contains(value, "keep-alive");
    } else if (equal_ignoring_case(name, "expect")) {
      if (!equal_ignoring_case(value, "100-continue")) return refuse(417, "an expectation other than 100-continue");
      request.expects_continue = !request.http_1_0;
    } else if (equal_ignoring_case(name, "upgrade")) {
      if (!equal_ignoring_case(value, "h2c")) return refuse(400, "this server upgrades to no other protocol");
    }
  }
  if (hosts == 0 && !request.http_1_0) return refuse(400, "no Host header");
  if (hosts > 1) return refuse(400, "more than one Host header");
  if (hosts == 1 && !is_host(request.host)) return refuse(400, "the Host header is not a host");
  if (lengths > 1) return refuse(400, "more than one Content-Length");
  if (encodings > 1) return refuse(400, "more than one Transfer-Encoding");
  if (encodings > 0 && lengths > 0) return refuse(400, "both Content-Length and Transfer-Encoding");
  if (encodings > 0 && request.http_1_0) return refuse(400, "Transfer-Encoding on HTTP/1.0");
  request.keep_alive = request.http_1_0 ? keep && !close : !close;
  return {};
}

}  // namespace

std::expected<void, Refusal> parse_head(std::string_view head, Request& request) {
  Collector collector{};
  collector.request = &request;
  llhttp_init(&collector.parser, HTTP_REQUEST, &settings());
  collector.parser.data = &collector;
  const llhttp_errno_t outcome = llhttp_execute(&collector.parser, head.data(), head.size());
  if (outcome != HPE_PAUSED && outcome != HPE_PAUSED_UPGRADE) {
    const char* why = llhttp_get_error_reason(&collector.parser);
    return refuse(400, fmt::format("not a request: {}", why != nullptr && *why != '\0' ? why : "it is cut short"));
  }
  request.method = head.substr(0, head.find(' '));
  request.http_1_0 = collector.parser.http_minor == 0;
  const auto question = collector.url.find('?');
  request.path = collector.url.substr(0, question);
  request.query = question == std::string_view::npos ? std::string_view() : collector.url.substr(question + 1);
  if (collector.url.find('#') != std::string_view::npos) return refuse(400, "the request target holds a fragment");
  return take_framing(request);
}

}  // namespace wherry::http
