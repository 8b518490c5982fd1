#include "node/fill/relay.h"

#include <gtest/gtest.h>

#include <string>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"

namespace wherry::node {
namespace {

using testing::digest_of;
using testing::LocalServer;
using testing::run_task;
using testing::ScriptedService;

Task<void> note_turn(Upstream upstream, RepositoryName repository, bool& granted) {
  auto turn = co_await upstream.turn(repository, Budget::Use::kFill);
  granted = turn.has_value();
}

/// Whether a fill has its turn at an upstream of one slot: before and after all of a relayed blob has come, of which
/// its reader has taken nothing yet.
Task<std::pair<bool, bool>> wait_behind_a_relay() {
  const std::string bytes(1000, 'x');
  const RepositoryName repository = RepositoryName::parse("a").value();
  ScriptedService service([&](const http::Request&) { return http::Response(200).body("a/b", bytes); });
  LocalServer server(service);
  co_await server.start();
  UpstreamOptions options;
  options.url = server.url();
  options.limits.concurrent = 1;
  Origin origin(std::move(options), {}, {&Loop::current()});
  co_await origin.open();
  Upstream upstream(origin);
  Pool pool("relay", 1);
  bool before = false;
  bool after = false;
  {
    Scope scope;
    const Digest digest = digest_of(bytes);
    auto relay = co_await Relay::open(upstream, pool, repository, digest);
    EXPECT_TRUE(relay);
    bool granted = false;
    scope.spawn(note_turn(upstream, repository, granted));
    before = granted;
    auto ready = co_await (*relay)->ready(0, bytes.size(), bytes.size());
    EXPECT_TRUE(ready && *ready == bytes.size()) << "all has come";
    for (int i = 0; i < 100 && !granted; ++i) co_await sleep_for(std::chrono::milliseconds(1));
    after = granted;
    relay->reset();
    co_await scope.join();
  }
  co_await origin.close();
  co_await server.stop();
  co_return std::pair(before, after);
}

TEST(Relay, ItsSlotIsForOthersOnceAllHasComeHoweverSlowItsReaderIs) {
  EXPECT_EQ(run_task(wait_behind_a_relay()), std::pair(false, true));
}

}  // namespace
}  // namespace wherry::node
