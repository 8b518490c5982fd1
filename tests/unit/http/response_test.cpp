#include "common/http/response.h"

#include <gtest/gtest.h>

#include <string>

#include "common/http/client.h"

namespace wherry::http {
namespace {

TEST(Response, AValueFromOutsideCannotEndItsLine) {
  Response response(200);
  response.header("Link", "a\r\nSet-Cookie: b").header("X", std::string("a\0b\x7f\x1f\tc\n", 8));
  EXPECT_EQ(response.fields(), "Link: a  Set-Cookie: b\r\nX: a b   c \r\n");
}

TEST(Response, BytesBeyondAsciiArePassedOn) {
  EXPECT_EQ(Response(200).header("X", "caf\xc3\xa9").fields(), "X: caf\xc3\xa9\r\n");
}

TEST(Response, ABodyNamesItsType) {
  const auto response = Response(200).body("text/plain\r\nX: y", "hello\n");
  EXPECT_EQ(response.fields(), "Content-Type: text/plain  X: y\r\n");
  EXPECT_EQ(response.body(), "hello\n");
}

TEST(Response, FieldsOfAnotherAreAddedAsTheyAre) {
  Response other(404);
  other.header("A", "b");
  Response response(200);
  response.header("C", "d").append_fields(other);
  EXPECT_EQ(response.fields(), "C: d\r\nA: b\r\n");
  EXPECT_EQ(response.status(), 200);
}

TEST(Response, EveryStatusHasALineThatNamesIt) {
  for (const int status : {200, 201, 202, 204, 206, 304, 307, 400, 401, 403, 404, 405, 408,
                           413, 414, 416, 417, 429, 431, 500, 502, 503, 504, 505, 507}) {
    const std::string line(status_line(status));
    EXPECT_TRUE(line.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << line;
    EXPECT_TRUE(line.ends_with("\r\n")) << line;
  }
}

TEST(Response, AStatusThatHasNoReasonHereKeepsItsNumber) {
  for (const int status : {100, 299, 418, 451, 599, 999})
    EXPECT_EQ(status_line(status), "HTTP/1.1 " + std::to_string(status) + " Unknown\r\n");
}

TEST(Response, TheDateIsInTheFormOfTheSpecification) {
  const std::string date(http_date());
  ASSERT_EQ(date.size(), 29u) << date;
  EXPECT_EQ(date.substr(3, 2), ", ");
  EXPECT_EQ(date.substr(25), " GMT");
}

TEST(ClientRequest, AValueFromOutsideCannotEndItsLine) {
  ClientRequest request("GET", "http://a");
  request.header("Range", "bytes=0-\r\nX: y\n");
  EXPECT_EQ(request.headers().at(0), "Range: bytes=0-  X: y ");
}

}  // namespace
}  // namespace wherry::http
