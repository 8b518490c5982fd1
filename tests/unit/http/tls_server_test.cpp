#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/async/sleep.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/unit/support/certificate.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/support/test_service.h"

namespace wherry::http {
namespace {

using namespace std::chrono_literals;
using testing::Certificate;
using testing::LocalServer;
using testing::MemoryBody;
using testing::run_task;
using testing::talk;
using testing::TestService;

constexpr std::size_t kMostBodyBytes = 64 * 1024 * 1024;

std::string random_text(std::size_t bytes) {
  std::minstd_rand random(1);
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// The status and body of an answer, or why there is none.
Task<std::string> answer_of(Client& client, ClientRequest request, std::chrono::milliseconds before_reading = 0ms) {
  auto transfer = co_await client.open(std::move(request));
  if (!transfer) co_return "no answer: " + transfer.error().message();
  if (before_reading > 0ms) co_await sleep_for(before_reading);
  auto body = co_await (*transfer)->read_whole(kMostBodyBytes);
  const int status = (*transfer)->head().status();
  co_return body ? std::to_string(status) + " " + *body : "broken: " + body.error().message();
}

class TlsServerTest : public ::testing::Test {
 protected:
  TlsServerTest() {
    authority.write(dir / "ca.pem", dir / "ca.key");
    server.write(dir / "server.pem", dir / "server.key");
    identity = TlsIdentity::load({dir / "server.pem", dir / "server.key", {}}).value();
  }

  /// Calls `with` with a client that trusts the authority and a server that has `body` at /file.
  template <class With>
  static Task<void> serve(TlsServerTest& test, MemoryBody& body, const With& with) {
    TestService service(body);
    Limits limits;
    limits.head_time = 300ms;
    LocalServer server(service, limits, test.identity.get());
    co_await server.start();
    ClientOptions options;
    options.ca_file = test.dir / "ca.pem";
    {
      Client client(Loop::current(), options);
      co_await with(client, server);
    }
    co_await server.stop();
  }

  testing::TempDir dir;
  Certificate authority{"authority"};
  Certificate server{"server", &authority};
  std::shared_ptr<TlsIdentity> identity;
};

Task<void> ask_for_all_kinds(Client& client, LocalServer& server) {
  const std::string url = server.url();
  EXPECT_TRUE(url.starts_with("https://"));
  ClientRequest part("GET", url + "/file");
  part.header("Range", "bytes=99990-100009");
  const auto wanted = random_text(100'010);
  EXPECT_EQ(co_await answer_of(client, ClientRequest("GET", url + "/file")), "200 " + wanted);
  EXPECT_EQ(co_await answer_of(client, ClientRequest("HEAD", url + "/file")), "200 ");
  EXPECT_EQ(co_await answer_of(client, std::move(part)), "206 " + wanted.substr(99'990));
  EXPECT_EQ(co_await answer_of(client, ClientRequest("GET", url + "/fail")), "403 refused by the handler");
}

TEST_F(TlsServerTest, AnswersAreThoseOfAPlainServer) {
  MemoryBody body(random_text(100'010));
  run_task(serve(*this, body, ask_for_all_kinds));
}

Task<void> send_large(Client& client, LocalServer& server) {
  const auto sent = random_text(1024 * 1024);
  ClientRequest request("POST", server.url() + "/echo");
  request.body(sent);
  EXPECT_TRUE(co_await answer_of(client, std::move(request)) == "200 echo:" + sent);
}

TEST_F(TlsServerTest, ALargeBodyComesWhole) {
  MemoryBody body("x");
  run_task(serve(*this, body, send_large));
}

Task<void> read_slowly(Client& client, LocalServer& server) {
  const auto got = co_await answer_of(client, ClientRequest("GET", server.url() + "/file"), 300ms);
  EXPECT_TRUE(got == "200 " + random_text(32 * 1024 * 1024));
}

TEST_F(TlsServerTest, ALargeBodyGoesWholeToAReaderThatWaits) {
  MemoryBody body(random_text(32 * 1024 * 1024));
  run_task(serve(*this, body, read_slowly));
}

Task<void> read_what_breaks(Client& client, LocalServer& server) {
  const auto got = co_await answer_of(client, ClientRequest("GET", server.url() + "/file"));
  EXPECT_FALSE(got.starts_with("200 ")) << "it ended as if all were well";
}

TEST_F(TlsServerTest, ABodyThatGoesWrongNeverEndsWell) {
  MemoryBody body(random_text(100'000));
  body.break_off_at(70'000);
  run_task(serve(*this, body, read_what_breaks));
}

Task<void> speak_otherwise(Client&, LocalServer& server) {
  const auto plain = co_await talk(server.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(plain.starts_with("HTTP/1.1 400 ")) << plain;
  EXPECT_NE(plain.find("HTTPS"), std::string::npos) << plain;
  const auto garbage = co_await talk(server.address(), "\x16\x03\x01\x00\x05nonsense that is no greeting");
  EXPECT_EQ(garbage.find("HTTP"), std::string::npos) << garbage;
  EXPECT_EQ(co_await talk(server.address(), "\x16\x03"), "") << "who does not go on is let go";
  EXPECT_EQ(co_await talk(server.address(), ""), "") << "who says nothing too";
}

TEST_F(TlsServerTest, WhoSpeaksSomethingElseIsToldOrLetGo) {
  MemoryBody body("x");
  run_task(serve(*this, body, speak_otherwise));
}

Task<void> trust_nobody(Client&, LocalServer& server) {
  Client client(Loop::current(), {});
  const auto got = co_await answer_of(client, ClientRequest("GET", server.url() + "/file"));
  EXPECT_TRUE(got.starts_with("no answer: ")) << got;
}

TEST_F(TlsServerTest, AClientThatDoesNotTrustTheCertificateGetsNothing) {
  MemoryBody body("x");
  run_task(serve(*this, body, trust_nobody));
}

}  // namespace
}  // namespace wherry::http
