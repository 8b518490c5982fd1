#include "common/http/head.h"

#include <gtest/gtest.h>

#include <cctype>
#include <optional>
#include <string>
#include <vector>

namespace wherry::http {
namespace {

/// What became of a head: a status of 0 is "taken", of 1 "more is needed".
struct Outcome {
  int status = 0;
  std::size_t length = 0;
  bool operator==(const Outcome&) const = default;
};
void PrintTo(const Outcome& outcome, std::ostream* out) { *out << outcome.status << " after " << outcome.length; }

Outcome feed(std::string_view bytes, std::size_t first, std::size_t step) {
  HeadScanner scanner;
  for (std::size_t size = std::min(first, bytes.size());; size = std::min(size + step, bytes.size())) {
    const auto scanned = scanner.scan(bytes.substr(0, size));
    if (!scanned) return {scanned.error().status, 0};
    if (*scanned > 0) return {0, *scanned};
    if (size == bytes.size()) return {1, 0};
  }
}

/// Scans the head whole and byte by byte, which must come to the same, and parses what the scanner took.
Outcome take(std::string_view bytes, Request& request) {
  const Outcome whole = feed(bytes, bytes.size(), 1);
  EXPECT_EQ(feed(bytes, 1, 1), whole) << bytes.substr(0, 200);
  EXPECT_EQ(feed(bytes, 7, 13), whole) << bytes.substr(0, 200);
  if (whole.status != 0) return whole;
  const auto parsed = parse_head(bytes.substr(0, whole.length), request);
  if (!parsed) {
    EXPECT_FALSE(parsed.error().reason.empty());
    return {parsed.error().status, 0};
  }
  return whole;
}

int status_of(std::string_view bytes) {
  Request request;
  return take(bytes, request).status;
}

std::string get(std::string_view headers, std::string_view line = "GET /v2/ HTTP/1.1") {
  return std::string(line) + "\r\n" + std::string(headers) + "\r\n";
}

TEST(Head, IsTakenApartAndEndsWhereItsEmptyLineDoes) {
  const std::string head =
      "PATCH /v2/a/blobs/uploads/1?digest=x?y&z HTTP/1.1\r\n"
      "Host: registry.example:5000\r\n"
      "Accept: a/b\r\n"
      "aCCEPT:\t c/d \t\r\n"
      "Empty:\r\n"
      "Content-Length: 0012\r\n"
      "Expect: 100-Continue\r\n"
      "X-Text: caf\xc3\xa9\ttab\r\n\r\n";
  Request request;
  const std::string bytes = head + "body bytes\n";
  EXPECT_EQ(take(bytes, request), (Outcome{0, head.size()}));
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.path, "/v2/a/blobs/uploads/1");
  EXPECT_EQ(request.query, "digest=x?y&z");
  EXPECT_EQ(request.host, "registry.example:5000");
  EXPECT_EQ(request.header("accept"), "a/b");
  EXPECT_EQ(request.joined_header("ACCEPT"), "a/b, c/d");
  EXPECT_TRUE(request.has_header("empty"));
  EXPECT_EQ(request.header("empty"), "");
  EXPECT_FALSE(request.has_header("emptier"));
  EXPECT_EQ(request.header("x-text"), "caf\xc3\xa9\ttab");
  EXPECT_EQ(request.content_length, 12u);
  EXPECT_TRUE(request.expects_continue);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_FALSE(request.chunked);
  EXPECT_TRUE(request.has_body());
  EXPECT_FALSE(request.http_1_0);
}

TEST(Head, OfEveryUsualKindIsTaken) {
  const std::string h = "Host: a\r\n";
  const std::vector<std::string> good = {
      get(h),
      get(h, "GET / HTTP/1.1"),
      get("Host: [::1]:5000\r\n"),
      get("Host: a_b.c-d~\r\n"),
      get(h + "Transfer-Encoding: chunked\r\n"),
      get(h + "Transfer-Encoding: CHUNKED\r\n", "PUT /v2/ HTTP/1.1"),
      get(h + "Content-Length: 9223372036854775807\r\n"),
      get(h + "Content-Length: 00000000000000000000000000000\r\n"),
      get(h + "Upgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"),
      get(h + "Connection: close\r\n"),
      get(h, "HEAD /%2e%2e/x?%00 HTTP/1.1"),
      get(h, "DELETE /a HTTP/1.1"),
      get(h, "OPTIONS /a HTTP/1.1"),
      get("", "GET / HTTP/1.0"),
      get(h, "GET / HTTP/1.0"),
      get(h + "Connection: keep-alive\r\n", "GET / HTTP/1.0"),
      get(h, "GET //double//slash HTTP/1.1"),
  };
  for (const auto& head : good) EXPECT_EQ(status_of(head), 0) << head;
}

TEST(Head, ThatTwoReadersCouldUnderstandDifferentlyIsRefused) {
  const std::string h = "Host: a\r\n";
  struct Case {
    std::string head;
    int status = 400;
  };
  const std::vector<Case> bad = {
      // Lines.
      {"GET / HTTP/1.1\nHost: a\n\n"},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {get(h + "A: b\r\n c\r\n")},
      {get(h + "A: b\r\n\tc\r\n")},
      {get(" Host: a\r\n")},
      {get(h + "A: b\rc\r\n")},
      {get(h + "A: b\r\r\n")},
      // Request lines.
      {get(h, "GET  / HTTP/1.1")},
      {get(h, "GET / HTTP/1.1 ")},
      {get(h, "GET /a b HTTP/1.1")},
      {get(h, " GET / HTTP/1.1")},
      {get(h, "GET\t/ HTTP/1.1")},
      {get(h, "GET /")},
      {get(h, "GET HTTP/1.1")},
      {get(h, "/ HTTP/1.1")},
      {get(h, "GET / HTTP/2.0")},
      {get(h, "GET / HTTP/0.9")},
      {get(h, "GET / HTTP/1.2")},
      {get(h, "GET / http/1.1")},
      {get(h, "GET / HTTP/1.10")},
      {get(h, "GET http://a/ HTTP/1.1")},
      {get(h, "CONNECT a:80 HTTP/1.1")},
      {get(h, "CONNECT / HTTP/1.1")},
      {get(h, "OPTIONS * HTTP/1.1")},
      {get(h, "GET /a#b HTTP/1.1")},
      {get(h, "GET /\xc3\xa4 HTTP/1.1")},
      {get(h, "GET /\x7f HTTP/1.1")},
      {get(h, std::string("GET /\0 HTTP/1.1", 15))},
      {get(h, "G@T / HTTP/1.1")},
      {get(h, "get / HTTP/1.1")},
      {get(h, "PRI / HTTP/1.1")},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"\x16\x03\x01\x02"},
      // Header fields.
      {get(h + "no colon\r\n")},
      {get(h + ": no name\r\n")},
      {get(h + "A : b\r\n")},
      {get(h + "A\xc3\xa4: b\r\n")},
      {get(h + "A(b): c\r\n")},
      {get(h + std::string("A: b\0c\r\n", 8))},
      {get(h + "A: b\x7f\r\n")},
      {get(h + "A: \x01\r\n")},
      // Host.
      {get("")},
      {get("Host: a\r\nHost: a\r\n")},
      {get("Host: a\r\nHost: b\r\n")},
      {get("Host:\r\n")},
      {get("Host: a b\r\n")},
      {get("Host: a/b\r\n")},
      {get("Host: a@b\r\n")},
      {get("Host: a,b\r\n")},
      {get("Host: a\r\nHost: b\r\n", "GET / HTTP/1.0")},
      // Framing.
      {get(h + "Content-Length: 1\r\nContent-Length: 1\r\n")},
      {get(h + "Content-Length: 1\r\nContent-Length: 2\r\n")},
      {get(h + "Content-Length: 1, 1\r\n")},
      {get(h + "Content-Length: +1\r\n")},
      {get(h + "Content-Length: -1\r\n")},
      {get(h + "Content-Length: 0x10\r\n")},
      {get(h + "Content-Length: 1 2\r\n")},
      {get(h + "Content-Length:\r\n")},
      {get(h + "Content-Length: 9223372036854775808\r\n")},
      {get(h + "Content-Length: 18446744073709551616\r\n")},
      {get(h + "Content-Length: 18446744073709551617\r\n")},
      {get(h + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
      {get(h + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
      {get(h + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {get(h + "Transfer-Encoding: gzip, chunked\r\n")},
      {get(h + "Transfer-Encoding: chunked, identity\r\n")},
      {get(h + "Transfer-Encoding: identity\r\n")},
      {get(h + "Transfer-Encoding: xchunked\r\n")},
      {get(h + "Transfer-Encoding: \"chunked\"\r\n")},
      {get(h + "Transfer-Encoding: chunked;q=1\r\n")},
      {get(h + "Transfer-Encoding:\r\n")},
      {get(h + "Transfer-Encoding : chunked\r\n")},
      {get(h + "Transfer-Encoding:\x0b"
               "chunked\r\n")},
      {get(h + "Transfer-Encoding: chunked\r\n", "PUT / HTTP/1.0")},
      // What is asked for beside.
      {get(h + "Upgrade: websocket\r\nConnection: Upgrade\r\n")},
      {get(h + "Upgrade: h2c, websocket\r\n")},
      {get(h + "Upgrade:\r\n")},
      {get(h + "Expect: 200-ok\r\n"), 417},
      {get(h + "Expect: 100-continue, x\r\n"), 417},
  };
  for (const auto& c : bad) EXPECT_EQ(status_of(c.head), c.status) << c.head;
}

TEST(Head, KeepsItsConnectionAsItsVersionAndItSay) {
  struct Case {
    std::string line;
    std::string headers;
    bool keep_alive;
  };
  const std::vector<Case> cases = {
      {"GET / HTTP/1.1", "", true},
      {"GET / HTTP/1.1", "Connection: close\r\n", false},
      {"GET / HTTP/1.1", "Connection: CLOSE\r\n", false},
      {"GET / HTTP/1.1", "Connection: x ,\tclose , y\r\n", false},
      {"GET / HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"GET / HTTP/1.1", "Connection: closed\r\n", true},
      {"GET / HTTP/1.1", "Connection: keep-alive\r\n", true},
      {"GET / HTTP/1.0", "", false},
      {"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const auto& c : cases) {
    Request request;
    const std::string head = get("Host: a\r\n" + c.headers, c.line);
    EXPECT_EQ(take(head, request).status, 0) << c.headers;
    EXPECT_EQ(request.keep_alive, c.keep_alive) << c.line << " " << c.headers;
  }
}

TEST(Head, OfHttp10IsNotAskedToContinue) {
  Request request;
  EXPECT_EQ(take(get("Expect: 100-continue\r\nContent-Length: 1\r\n", "PUT / HTTP/1.0"), request).status, 0);
  EXPECT_FALSE(request.expects_continue);
}

TEST(Head, IsBoundedInEachOfItsMeasuresToTheByte) {
  const auto line = [](std::size_t size) {
    const std::string rest = " HTTP/1.1";
    return "GET /" + std::string(size - 5 - rest.size(), 'a') + rest;
  };
  EXPECT_EQ(status_of(get("Host: a\r\n", line(kMaxRequestLineBytes))), 0);
  EXPECT_EQ(status_of(get("Host: a\r\n", line(kMaxRequestLineBytes + 1))), 414);

  const auto headers = [](std::size_t count) {
    std::string text = "Host: a\r\n";
    for (std::size_t i = 1; i < count; ++i) text += "A: b\r\n";
    return text;
  };
  EXPECT_EQ(status_of(get(headers(kMaxHeaders))), 0);
  EXPECT_EQ(status_of(get(headers(kMaxHeaders + 1))), 431);

  const auto padded = [](std::size_t size) {
    const std::string rest = get("Host: a\r\nX: \r\n");
    return get("Host: a\r\nX: " + std::string(size - rest.size(), 'x') + "\r\n");
  };
  EXPECT_EQ(status_of(padded(kMaxHeadBytes)), 0);
  EXPECT_EQ(status_of(padded(kMaxHeadBytes + 1)), 431);
}

TEST(Head, ThatNeverEndsIsRefusedWithoutWaitingForItsEnd) {
  EXPECT_EQ(status_of("GET /" + std::string(kMaxRequestLineBytes + 10, 'a')), 414);
  EXPECT_EQ(status_of(std::string("GET / HTTP/1.1\r\nX: ") + std::string(kMaxHeadBytes, 'a')), 431);
  EXPECT_EQ(status_of("\x16"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n"), 1);
  EXPECT_EQ(status_of(""), 1);
}

TEST(Head, AScannerThatWasResetTakesTheNextHead) {
  HeadScanner scanner;
  const std::string head = get("Host: a\r\n");
  EXPECT_EQ(scanner.scan(head).value(), head.size());
  scanner.reset();
  EXPECT_EQ(scanner.scan(head).value(), head.size());
}

TEST(Head, CutShortIsNeverParsed) {
  const std::string head = get("Host: a\r\nContent-Length: 5\r\n");
  for (std::size_t size = 0; size < head.size(); ++size) {
    Request request;
    EXPECT_FALSE(parse_head(std::string_view(head).substr(0, size), request)) << size;
  }
}

TEST(Head, AControlByteIsFoundWhereverItStandsInAValue) {
  for (std::size_t size = 1; size <= 24; ++size)
    for (std::size_t at = 0; at < size; ++at)
      for (int byte = 1; byte < 256; ++byte) {
        std::string value(size, 'v');
        value[at] = static_cast<char>(byte);
        if (byte == '\r' || byte == '\n') continue;  // of lines
        HeadScanner scanner;
        const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: " + value + "\r\n\r\n";
        const bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        EXPECT_EQ(scanner.scan(head).has_value(), !is_control) << size << ' ' << at << ' ' << byte;
      }
}

/// Of a name's bytes. Source: RFC 9110 5.6.2.
bool is_token_byte(int byte) {
  return std::isalnum(byte) != 0 ||
         (byte != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(byte)) != std::string_view::npos);
}

// llhttp takes sixteen bytes at a time where there are as many.
TEST(Head, EveryByteOfANameAndOfAValueIsJudgedAlikeWhereverItStands) {
  for (const std::size_t size : {1U, 5U, 16U, 17U, 31U, 48U})
    for (std::size_t at = 0; at < size; ++at)
      for (int byte = 0; byte < 256; ++byte) {
        if (byte == ':' || byte == '\r' || byte == '\n') continue;  // of lines
        std::string text(size, 'v');
        text[at] = static_cast<char>(byte);
        const auto is_taken = [](const std::string& head, Request& request) {
          HeadScanner scanner;
          const auto scanned = scanner.scan(head);
          return scanned && *scanned == head.size() && parse_head(head, request).has_value();
        };
        Request request;
        EXPECT_EQ(is_taken("GET / HTTP/1.1\r\nHost: a\r\n" + text + ": b\r\n\r\n", request),
                  byte < 0x80 && is_token_byte(byte))
            << size << ' ' << at << ' ' << byte;
        Request other;
        const bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: " + text + "\r\n\r\n";  // `other` is views of it
        EXPECT_EQ(is_taken(head, other), !is_control) << size << ' ' << at << ' ' << byte;
        if (!is_control && byte != ' ' && byte != '\t') {
          EXPECT_EQ(other.header("a"), text);
        }
      }
}

}  // namespace
}  // namespace wherry::http
