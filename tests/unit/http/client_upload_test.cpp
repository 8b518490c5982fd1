#include <gtest/gtest.h>

#include <string>

#include "common/async/sleep.h"
#include "common/http/client.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/test_service.h"

namespace wherry::http {
namespace {

using testing::LocalServer;
using testing::run_task;

/// Bytes that come in pieces of a size that fits nothing, each after a while.
class SlowBody final : public RequestBody {
 public:
  SlowBody(std::string bytes, std::size_t breaks_at = std::string::npos)
      : bytes_(std::move(bytes)), breaks_at_(breaks_at) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) override {
    ++reads;
    co_await sleep_for(std::chrono::milliseconds(1));
    if (offset >= breaks_at_) co_return Error(ErrorKind::kCorrupt, "damaged");
    Buffer buffer = Buffer::take();
    const auto count = std::min<std::size_t>({static_cast<std::size_t>(want), 7777, bytes_.size() - offset});
    buffer.append(std::as_bytes(std::span(bytes_)).subspan(offset, count));
    co_return std::move(buffer);
  }
  int reads = 0;

 private:
  std::string bytes_;
  std::size_t breaks_at_;
};

Task<std::string> send(std::shared_ptr<RequestBody> body, std::string path, ErrorKind* kind = nullptr) {
  testing::MemoryBody file("x");
  testing::TestService service(file);
  LocalServer server(service);
  co_await server.start();
  std::string answer;
  {
    Client client(Loop::current(), {});
    ClientRequest request("PUT", server.url() + path);
    request.stream(std::move(body));
    auto transfer = co_await client.open(std::move(request));
    if (!transfer) {
      if (kind != nullptr) *kind = transfer.error().kind();
      answer = transfer.error().message();
    } else {
      auto whole = co_await (*transfer)->read_whole(4 << 20);
      answer = std::to_string((*transfer)->head().status()) + " " + (whole ? *whole : whole.error().message());
    }
  }
  co_await server.stop();
  co_return answer;
}

TEST(ClientUpload, ABodyIsSentAsItIsRead) {
  std::string bytes(300'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i % 23);
  EXPECT_EQ(run_task(send(std::make_shared<SlowBody>(bytes), "/echo")), "200 echo:" + bytes);
}

TEST(ClientUpload, AStretchOfABodyIsSentAlone) {
  SlowBody whole("0123456789");
  EXPECT_EQ(run_task(send(std::make_shared<BodyStretch>(whole, 3, 4), "/echo")), "200 echo:3456");
}

TEST(ClientUpload, ABodyThatCannotBeReadBreaksTheRequestOff) {
  ErrorKind kind = ErrorKind::kInternal;
  const auto answer = run_task(send(std::make_shared<SlowBody>(std::string(200'000, 'x'), 100'000), "/echo", &kind));
  EXPECT_EQ(kind, ErrorKind::kCorrupt) << answer;
}

TEST(ClientUpload, WhatTheServerRefusesIsNotReadToItsEnd) {
  auto body = std::make_shared<SlowBody>(std::string(20'000'000, 'x'));
  const auto answer = run_task(send(body, "/fail"));
  EXPECT_TRUE(answer.starts_with("403 ")) << answer;
  EXPECT_LT(body->reads, 1500);
}

}  // namespace
}  // namespace wherry::http
