#include "common/http/response.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "common/base/byte_scan.h"
#include "common/base/check.h"

namespace wherry::http {
namespace {

bool is_control_byte(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool has_control_bytes(std::string_view text) {
  const auto which = [](SomeBytes bytes) { return bytes.below(0x20) | bytes.equal_to(0x7f); };
  return find_byte(text, which, is_control_byte) != std::string_view::npos;
}

}  // namespace

Response& Response::header(std::string_view name, std::string_view value) & {
  fields_.append(name).append(": ");
  const std::size_t begin = fields_.size();
  fields_.append(value).append("\r\n");
  if (has_control_bytes(value))
    std::replace_if(fields_.begin() + static_cast<std::ptrdiff_t>(begin), fields_.end() - 2, is_control_byte, ' ');
  return *this;
}

Response& Response::body(std::string_view media_type, std::string bytes) & {
  header("Content-Type", media_type);
  body_ = std::move(bytes);
  return *this;
}

Response& Response::body(std::string_view media_type, std::string_view bytes,
                         std::shared_ptr<const std::string> owner) & {
  header("Content-Type", media_type);
  shared_body_ = bytes;
  owner_ = std::move(owner);
  return *this;
}

std::string_view status_line(int status) {
  switch (status) {
    case 200: return "HTTP/1.1 200 OK\r\n";
    case 201: return "HTTP/1.1 201 Created\r\n";
    case 202: return "HTTP/1.1 202 Accepted\r\n";
    case 204: return "HTTP/1.1 204 No Content\r\n";
    case 206: return "HTTP/1.1 206 Partial Content\r\n";
    case 303: return "HTTP/1.1 303 See Other\r\n";
    case 304: return "HTTP/1.1 304 Not Modified\r\n";
    case 307: return "HTTP/1.1 307 Temporary Redirect\r\n";
    case 400: return "HTTP/1.1 400 Bad Request\r\n";
    case 401: return "HTTP/1.1 401 Unauthorized\r\n";
    case 403: return "HTTP/1.1 403 Forbidden\r\n";
    case 404: return "HTTP/1.1 404 Not Found\r\n";
    case 405: return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408: return "HTTP/1.1 408 Request Timeout\r\n";
    case 413: return "HTTP/1.1 413 Content Too Large\r\n";
    case 414: return "HTTP/1.1 414 URI Too Long\r\n";
    case 416: return "HTTP/1.1 416 Range Not Satisfiable\r\n";
    case 417: return "HTTP/1.1 417 Expectation Failed\r\n";
    case 429: return "HTTP/1.1 429 Too Many Requests\r\n";
    case 431: return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 500: return "HTTP/1.1 500 Internal Server Error\r\n";
    case 502: return "HTTP/1.1 502 Bad Gateway\r\n";
    case 503: return "HTTP/1.1 503 Service Unavailable\r\n";
    case 504: return "HTTP/1.1 504 Gateway Timeout\r\n";
    case 505: return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
    case 507: return "HTTP/1.1 507 Insufficient Storage\r\n";
    default: break;
  }
  WHERRY_CHECK(status >= 100 && status <= 999);
  thread_local std::string unknown;
  unknown = fmt::format("HTTP/1.1 {} Unknown\r\n", status);
  return unknown;
}

std::string_view http_date() {
  thread_local std::time_t made_for = 0;
  thread_local char text[32];
  thread_local std::size_t length = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    length = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made_for = now;
  }
  return {text, length};
}

}  // namespace wherry::http
