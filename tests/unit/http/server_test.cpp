#include "common/http/server.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "common/async/sleep.h"
#include "common/http/client.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/test_service.h"

namespace wherry::http {
namespace {

using namespace std::chrono_literals;
using testing::kind_of;
using testing::LocalServer;
using testing::MemoryBody;
using testing::run_task;
using testing::talk;
using testing::TestService;

std::string body_of(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "no head: " + answer : answer.substr(end + 4);
}

Task<std::vector<std::string>> talk_all(MemoryBody& body, std::vector<std::string> requests, std::vector<int>& statuses,
                                        bool ends) {
  TestService service(body);
  LocalServer server(service);
  co_await server.start();
  std::vector<std::string> answers;
  for (auto& request : requests) {
    auto answer = co_await talk(server.address(), std::move(request), ends);
    answers.push_back(std::move(answer));
  }
  co_await server.stop();
  statuses = service.statuses;
  co_return answers;
}

class ServerTest : public ::testing::Test {
 protected:
  std::string answer_to(std::string request, bool ends = false) {
    return run_task(talk_all(body, {std::move(request)}, statuses, ends)).front();
  }

  MemoryBody body{"0123456789"};
  std::vector<int> statuses;
};

TEST_F(ServerTest, RequestsThatFollowEachOtherAreAnsweredInOrderOnOneConnection) {
  const auto answer = answer_to(
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /bcd HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto first = answer.find("\r\n\r\n/a");
  const auto second = answer.find("Content-Length: 4");
  const auto third = answer.find("\r\n\r\n/e");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_EQ(answer.find("/bcd"), std::string::npos);
  EXPECT_EQ(answer.find("never"), std::string::npos);
  EXPECT_EQ(statuses, (std::vector{200, 200, 200}));
}

TEST_F(ServerTest, ABodyIsReadHoweverItIsFramed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Content-Length: 5\r\n\r\nhello", "echo:hello"},
      {"Content-Length: 0\r\n\r\n", "echo:"},
      {"\r\n", "echo:"},
      {"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "echo:hello"},
      {"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", "echo:"}};
  for (const auto& [rest, expected] : cases)
    EXPECT_EQ(body_of(answer_to("PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + rest)), expected);
}

TEST_F(ServerTest, AskedWhetherToContinueItSaysSoBeforeItReads) {
  const auto answer = answer_to(
      "PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", true);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\n")) << answer;
}

TEST_F(ServerTest, ABodyThatNobodyReadIsNotTakenForTheNextRequest) {
  const auto answer = answer_to(
      "PUT /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.find("smuggled"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\r\n\r\n/next"), std::string::npos) << answer;
}

TEST_F(ServerTest, ABadHeadIsAnsweredAndEndsTheConnection) {
  for (const std::string& bad :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/1.1\nHost: x\n\n"),
        std::string("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        std::string("\x16\x03\x01 a TLS client")}) {
    const auto answer = answer_to(bad + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
    EXPECT_EQ(answer.find("/next"), std::string::npos);
    EXPECT_EQ(statuses, std::vector{400});
  }
}

TEST_F(ServerTest, ABadlyFramedBodyIsRefusedAndEndsTheConnection) {
  const auto answer = answer_to(
      "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(answer.find("chunked body"), std::string::npos) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_EQ(answer.find("/next"), std::string::npos);
}

TEST_F(ServerTest, AnErrorOfTheHandlerIsRenderedAndTheConnectionGoesOn) {
  const auto answer = answer_to(
      "GET /fail HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("refused by the handler"), std::string::npos);
  EXPECT_NE(answer.find("a handler sent no response"), std::string::npos);
  EXPECT_NE(answer.find("\r\n\r\n/next"), std::string::npos);
}

TEST_F(ServerTest, RangesOfAFileAreSentAsAsked) {
  struct Case {
    std::string range;
    std::string status;
    std::string content_range;
    std::string body;
  };
  const std::vector<Case> cases = {{"", "200 ", "", "0123456789"},
                                   {"Range: bytes=2-4\r\n", "206 ", "Content-Range: bytes 2-4/10\r\n", "234"},
                                   {"Range: bytes=-3\r\n", "206 ", "Content-Range: bytes 7-9/10\r\n", "789"},
                                   {"Range: bytes=8-99\r\n", "206 ", "Content-Range: bytes 8-9/10\r\n", "89"},
                                   {"Range: bytes=10-\r\n", "416 ", "Content-Range: bytes */10\r\n", ""},
                                   {"Range: lines=1-2\r\n", "200 ", "", "0123456789"},
                                   {"Range: bytes=0-5,3-4\r\n", "200 ", "", "0123456789"}};
  for (const auto& c : cases) {
    const auto answer = answer_to("GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + c.range + "\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + c.status)) << answer;
    EXPECT_NE(answer.find(c.content_range), std::string::npos) << answer;
    EXPECT_NE(answer.find("Accept-Ranges: bytes\r\n"), std::string::npos);
    EXPECT_EQ(body_of(answer), c.body);
    EXPECT_NE(answer.find("Content-Length: " + std::to_string(c.body.size()) + "\r\n"), std::string::npos);
  }
}

TEST_F(ServerTest, SeveralRangesComeAsPartsInTheOrderAsked) {
  const auto answer = answer_to("GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=8-9,0-1\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 206 ")) << answer;
  const auto at = answer.find("boundary=");
  ASSERT_NE(at, std::string::npos);
  const std::string boundary = answer.substr(at + 9, answer.find("\r\n", at) - at - 9);
  const auto part = [&](std::string_view range, std::string_view bytes) {
    return "--" + boundary + "\r\nContent-Type: application/x\r\nContent-Range: bytes " + std::string(range) +
           "/10\r\n\r\n" + std::string(bytes) + "\r\n";
  };
  EXPECT_EQ(body_of(answer), part("8-9", "89") + part("0-1", "01") + "--" + boundary + "--\r\n");
  EXPECT_NE(answer.find("Content-Length: " + std::to_string(body_of(answer).size())), std::string::npos);
}

TEST_F(ServerTest, AHeadRequestIsToldTheLengthAndSentNothing) {
  const auto answer = answer_to("HEAD /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=1-2\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_NE(answer.find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_EQ(body_of(answer), "");
}

TEST_F(ServerTest, ABodyThatGoesWrongNeverEndsWell) {
  body.break_off_at(4);
  const auto answer = answer_to("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("0123456789"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("]")) << "the connection ended as if all were well: " << answer;
}

// The client against the server.

struct Fetched {
  int status = 0;
  std::string body;
  std::string kind;
  std::optional<ErrorKind> error;
};

Task<Fetched> fetch(Client& client, std::string method, std::string url, std::string range = {}) {
  Fetched fetched;
  ClientRequest request(std::move(method), std::move(url));
  if (!range.empty()) request.header("Range", range);
  auto transfer = co_await client.open(std::move(request));
  if (!transfer) {
    fetched.error = transfer.error().kind();
    co_return fetched;
  }
  fetched.status = (*transfer)->head().status();
  fetched.kind = (*transfer)->head().header("x-KIND");
  auto whole = co_await (*transfer)->read_whole(64 * 1024 * 1024);
  if (whole)
    fetched.body = std::move(*whole);
  else
    fetched.error = whole.error().kind();
  co_return fetched;
}

Task<std::vector<Fetched>> fetch_some(MemoryBody& body) {
  TestService service(body);
  LocalServer server(service);
  co_await server.start();
  std::vector<Fetched> all;
  {
    Client client(Loop::current(), {});
    all.push_back(co_await fetch(client, "GET", server.url() + "/file"));
    all.push_back(co_await fetch(client, "HEAD", server.url() + "/file"));
    all.push_back(co_await fetch(client, "GET", server.url() + "/file", "bytes=3-5"));
    all.push_back(co_await fetch(client, "GET", server.url() + "/fail"));
    body.break_off_at(5);
    all.push_back(co_await fetch(client, "GET", server.url() + "/file"));
    all.push_back(co_await fetch(client, "GET", "http://127.0.0.1:1/"));
  }
  co_await server.stop();
  co_return all;
}

TEST(Client, GetsWhatTheServerSendsAndSaysHowItFailed) {
  MemoryBody body("0123456789");
  const auto all = run_task(fetch_some(body));
  EXPECT_EQ(all[0].body, "0123456789");
  EXPECT_EQ(all[0].kind, "file");
  EXPECT_EQ(all[1].status, 200);
  EXPECT_EQ(all[1].body, "");
  EXPECT_EQ(all[2].status, 206);
  EXPECT_EQ(all[2].body, "345");
  EXPECT_EQ(all[3].status, 403);
  EXPECT_EQ(all[3].error, std::nullopt);
  EXPECT_EQ(all[4].error, ErrorKind::kUpstream) << "a body that was cut short";
  EXPECT_EQ(all[5].error, ErrorKind::kUpstream) << "nobody listens there";
}

Task<Result<std::string>> fetch_limited(MemoryBody& body, std::size_t limit) {
  TestService service(body);
  LocalServer server(service);
  co_await server.start();
  Result<std::string> outcome = std::string();
  {
    Client client(Loop::current(), {});
    auto transfer = co_await client.open(ClientRequest("GET", server.url() + "/file"));
    if (transfer) outcome = co_await (*transfer)->read_whole(limit);
  }
  co_await server.stop();
  co_return outcome;
}

TEST(Client, ABodyOverItsLimitIsRefused) {
  MemoryBody body(std::string(100'000, 'x'));
  EXPECT_EQ(kind_of(run_task(fetch_limited(body, 99'999))), ErrorKind::kTooLarge);
  EXPECT_EQ(run_task(fetch_limited(body, 100'000))->size(), 100'000u);
}

Task<std::string> fetch_slowly(MemoryBody& body, std::chrono::milliseconds pause) {
  TestService service(body);
  LocalServer server(service);
  co_await server.start();
  std::string all;
  {
    Client client(Loop::current(), {});
    auto transfer = co_await client.open(ClientRequest("GET", server.url() + "/file"));
    while (transfer) {
      co_await sleep_for(pause);
      auto got = co_await (*transfer)->next();
      if (!got || got->empty()) break;
      all.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
    }
  }
  co_await server.stop();
  co_return all;
}

TEST(Client, ASlowReaderGetsEveryByteInOrder) {
  std::string bytes(5'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  MemoryBody body(bytes);
  for (const auto pause : {0ms, 3ms}) EXPECT_TRUE(run_task(fetch_slowly(body, pause)) == bytes);
}

Task<std::size_t> most_held_while_never_empty(MemoryBody& body, std::uint64_t size) {
  constexpr std::uint64_t kStep = 64 * 1024;
  constexpr std::uint64_t kLead = 8 * kStep;  // always more there than is read: less than the window
  TestService service(body);
  LocalServer server(service);
  co_await server.start();
  std::size_t most = 0;
  {
    Client client(Loop::current(), {});
    body.allow(kLead);
    auto transfer = co_await client.open(ClientRequest("GET", server.url() + "/file"));
    co_await sleep_for(20ms);
    const auto before = ::mallinfo2();
    for (std::uint64_t at = 0; transfer && at < size;) {
      body.allow(at + kLead + kStep);
      co_await sleep_for(1ms);
      auto got = co_await (*transfer)->next();
      if (!got || got->empty()) break;
      at += got->size();
      const auto now = ::mallinfo2();
      const std::size_t held = now.uordblks + now.hblkhd;
      most = std::max(most, held - std::min(held, before.uordblks + before.hblkhd));
    }
  }
  co_await server.stop();
  co_return most;
}

TEST(Client, AReaderThatIsNeverQuiteThereCostsNoMoreThanTheWindow) {
  MemoryBody body(std::string(24 * 1024 * 1024, 'x'));
  EXPECT_LT(run_task(most_held_while_never_empty(body, body.size())), 6u * 1024 * 1024);
}

Task<Result<Buffer>> read_after_cancel(MemoryBody& body) {
  TestService service(body);
  LocalServer server(service);
  co_await server.start();
  Result<Buffer> outcome = Buffer();
  {
    Client client(Loop::current(), {});
    body.allow(4);
    auto transfer = co_await client.open(ClientRequest("GET", server.url() + "/file"));
    if (transfer) outcome = co_await (*transfer)->next();
    (*transfer)->cancel();
    outcome = co_await (*transfer)->next();
    body.allow(body.size());  // so that the server ends, too
  }
  co_await server.stop();
  co_return outcome;
}

TEST(Client, WhatWasCancelledGivesNothingMore) {
  MemoryBody body("0123456789");
  EXPECT_EQ(kind_of(run_task(read_after_cancel(body))), ErrorKind::kCancelled);
}

}  // namespace
}  // namespace wherry::http
