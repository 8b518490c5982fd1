// Heads of requests: however the bytes come the scanner says the same, and what is accepted has one meaning, checked
// against a second reading of its lines. The first two bytes of an input say where it is cut, the rest is what came.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/check.h"
#include "common/http/head.h"

namespace {

using wherry::http::equal_ignoring_case;
using wherry::http::Request;

enum class Verdict { kMore, kTaken, kRefused };

struct Outcome {
  Verdict verdict = Verdict::kMore;
  std::size_t length = 0;
  bool operator==(const Outcome&) const = default;
};

/// Scans with `first` bytes, then `step` more at a time.
Outcome scan(std::string_view bytes, std::size_t first, std::size_t step) {
  wherry::http::HeadScanner scanner;
  for (std::size_t size = std::min(first, bytes.size());; size = std::min(size + step, bytes.size())) {
    const auto scanned = scanner.scan(bytes.substr(0, size));
    if (!scanned) {
      WHERRY_CHECK(scanned.error().status >= 400 && scanned.error().status < 500 && !scanned.error().reason.empty());
      return {Verdict::kRefused, 0};
    }
    WHERRY_CHECK(*scanned <= size);
    if (*scanned > 0) return {Verdict::kTaken, *scanned};
    if (size == bytes.size()) return {};
  }
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// The plain way to read a number; nothing when it is none below 2^63.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  unsigned __int128 value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > INT64_MAX) return std::nullopt;
  }
  return static_cast<std::uint64_t>(value);
}

/// What the fields of a head say of its framing, read a second time.
struct Fields {
  std::size_t count = 0;
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
};

Fields read_fields(std::string_view head, const Request& request) {
  Fields fields;
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.starts_with("\r\n")) {
    const auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    const auto name = line.substr(0, line.find(':'));
    auto value = line.substr(name.size() + 1);
    while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
    while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
    WHERRY_CHECK(fields.count < request.header_count);
    const auto& header = request.header_list[fields.count++];
    WHERRY_CHECK(header.name == name && header.value == value);
    WHERRY_CHECK(value.find('\0') == std::string_view::npos && value.find('\r') == std::string_view::npos &&
                 value.find('\n') == std::string_view::npos);
    WHERRY_CHECK(!name.empty() && std::all_of(name.begin(), name.end(), wherry::http::is_token_char));
    if (equal_ignoring_case(name, "host")) {
      ++fields.hosts;
      WHERRY_CHECK(!value.empty() && request.host == value);
    }
    if (equal_ignoring_case(name, "content-length")) {
      ++fields.lengths;
      WHERRY_CHECK(number(value).has_value() && request.content_length == number(value));
    }
    if (equal_ignoring_case(name, "transfer-encoding")) {
      ++fields.encodings;
      WHERRY_CHECK(equal_ignoring_case(value, "chunked"));
    }
  }
  return fields;
}

void check(std::string_view head, const Request& request) {
  WHERRY_CHECK(!request.method.empty() && request.path.starts_with('/'));
  for (const auto part : {request.method, request.path, request.query})
    for (const char c : part) WHERRY_CHECK(c > 0x20 && c < 0x7f && c != '#');
  const auto line = head.substr(0, head.find("\r\n"));
  const auto target = line.substr(request.method.size() + 1, line.rfind(' ') - request.method.size() - 1);
  WHERRY_CHECK(line.starts_with(request.method) && target.starts_with(request.path));
  WHERRY_CHECK(target.size() == request.path.size() || target[request.path.size()] == '?');
  WHERRY_CHECK(request.path.find('?') == std::string_view::npos && target.ends_with(request.query));
  WHERRY_CHECK(line.ends_with(request.http_1_0 ? " HTTP/1.0" : " HTTP/1.1"));

  const Fields fields = read_fields(head, request);
  WHERRY_CHECK(fields.count == request.header_count);
  WHERRY_CHECK(fields.hosts == 1 || (fields.hosts == 0 && request.http_1_0));
  WHERRY_CHECK(fields.lengths + fields.encodings <= 1);
  WHERRY_CHECK(request.chunked == (fields.encodings == 1) && !(request.chunked && request.http_1_0));
  WHERRY_CHECK(request.content_length.has_value() == (fields.lengths == 1));
  WHERRY_CHECK(!(request.expects_continue && request.http_1_0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t cut = data[0] | static_cast<std::size_t>(data[1]) << 8;
  const Outcome whole = scan(bytes, bytes.size(), 1);
  WHERRY_CHECK(scan(bytes, cut, bytes.size() + 1) == whole);
  if (bytes.size() < 4096) WHERRY_CHECK(scan(bytes, 0, 1) == whole);
  if (whole.verdict != Verdict::kTaken) return 0;
  WHERRY_CHECK(whole.length <= wherry::http::kMaxHeadBytes);
  const std::string_view head = bytes.substr(0, whole.length);
  WHERRY_CHECK(head.ends_with("\r\n\r\n"));
  Request request;
  const auto parsed = wherry::http::parse_head(head, request);
  if (parsed)
    check(head, request);
  else
    WHERRY_CHECK(parsed.error().status >= 400 && parsed.error().status < 500 && !parsed.error().reason.empty());
  return 0;
}
