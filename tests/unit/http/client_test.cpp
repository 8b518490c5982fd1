#include "common/http/client.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"

namespace wherry::http {
namespace {

using testing::kind_of;
using testing::LocalServer;
using testing::run_task;
using testing::ScriptedService;

/// While it lives, this process can open no file.
class NoDescriptors {
 public:
  NoDescriptors() {
    WHERRY_CHECK(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int lowest_free = ::dup(STDERR_FILENO);
    ::close(lowest_free);
    set(static_cast<rlim_t>(lowest_free));
  }
  ~NoDescriptors() { set(before_.rlim_cur); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  void set(rlim_t most) const {
    const rlimit limit{most, before_.rlim_max};
    WHERRY_CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  rlimit before_{};
};

Task<Result<int>> answer_to(Client& client, std::string url) {
  auto transfer = co_await client.open(ClientRequest("GET", std::move(url)));
  if (!transfer) co_return transfer.error();
  co_return (*transfer)->head().status();
}

Task<Result<int>> get_by_name_without_descriptors() {
  Client client(Loop::current(), {});
  const NoDescriptors none;
  co_return co_await answer_to(client, "http://no-such-server.invalid:5000");
}

Task<std::pair<Result<int>, Result<int>>> get_without_descriptors_and_then_with() {
  ScriptedService service([](const Request&) { return Response(204); });
  LocalServer server(service);
  co_await server.start();
  Client client(Loop::current(), {});
  Result<int> without = 0;
  {
    const NoDescriptors none;
    without = co_await answer_to(client, server.url());
  }
  Result<int> with = co_await answer_to(client, server.url());
  co_await server.stop();
  co_return std::pair(std::move(without), std::move(with));
}

TEST(Client, WithoutASocketOfItsOwnItSaysNothingOfTheServer) {
  const auto [without, with] = run_task(get_without_descriptors_and_then_with());
  EXPECT_EQ(kind_of(without), ErrorKind::kUnavailable);
  EXPECT_EQ(with.value(), 204);
  EXPECT_EQ(kind_of(run_task(get_by_name_without_descriptors())), ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace wherry::http
