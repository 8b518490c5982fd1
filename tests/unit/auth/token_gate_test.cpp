#include "common/auth/token_gate.h"

#include <gtest/gtest.h>

#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"

namespace wherry::auth {
namespace {

/// Nobody logs in by a password here.
class NoLogins final : public Logins {
 public:
  Task<Result<Identity>> log_in(const LoginAttempt&) override {
    co_return Error(ErrorKind::kUnauthorized, "no passwords here");
  }
};

/// Answers with the id of who asks, or 401 and why.
class WhoAsks final : public http::Service {
 public:
  explicit WhoAsks(Gate& gate) : gate_(gate) {}

  Task<Result<void>> handle(http::Exchange& exchange) override {
    auto visitor = gate_.try_admit(exchange);
    if (!visitor || !*visitor) {
      const std::string why = visitor ? std::string(visitor->error().message()) : "a password";
      co_return co_await exchange.send(http::Response(401).body("text/plain", why));
    }
    http::Response response(200);
    response.body("text/plain", (*visitor)->who().id);
    co_return co_await exchange.send(std::move(response));
  }
  http::Response render(const Error& error) const override {
    return http::Response(500).body("text/plain", error.message());
  }
  void finished(const http::Exchange&, Duration) override {}

 private:
  Gate& gate_;
};

struct TokenGateTest : ::testing::Test {
  JwtSigningKey key = JwtSigningKey::make();
  Policy policy;
  PolicyBoard board;
  Claims claims;
  WallTime now = Clock::system().wall();
  std::string token;

  TokenGateTest() {
    set(kAccessPolicy, settings({key.public_key()}));
    claims.id = "t-1";
    claims.expires = now + std::chrono::minutes(5);
    claims.who.kind = Identity::Kind::kUser;
    claims.who.id = "u-1";
    claims.who.as_of = now;
    token = sign_claims(key, claims, "m", policy.settings().service, now);
  }
  static std::string settings(std::vector<PublicJwtKey> keys) {
    AccessSettings made;
    made.keys = std::move(keys);
    return made.to_json();
  }
  void set(std::string_view name, std::string_view json) {
    const auto set = policy.set(name, json);
    ASSERT_TRUE(set && *set);
  }
  std::string revocation(WallTime before) const {
    return R"({"before_ms": )" + std::to_string(to_millis(before)) + "}";
  }
};

Task<std::string> answer_to(testing::LocalServer& server, const std::string& token) {
  std::string request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n\r\n";
  co_return co_await testing::talk(server.address(), std::move(request));
}

/// The id that a gate sees behind the token, or "401".
Task<std::string> ask(testing::LocalServer& server, const std::string& token) {
  const std::string answer = co_await answer_to(server, token);
  if (answer.starts_with("HTTP/1.1 401 ")) co_return "401";
  co_return answer.substr(answer.rfind("\r\n\r\n") + 4);
}

Task<void> revoke_and_ask(TokenGateTest& test, testing::LocalServer& server, std::string id) {
  const std::string name = std::string(kRevokedPolicy) + id;
  for (int i = 0; i < 2; ++i) {  // remembered, the second time from within the first
    test.board.publish(test.policy);
    for (int again = 0; again < 3; ++again) {
      const std::string who = co_await ask(server, test.token);
      EXPECT_EQ(who, "u-1") << id;
    }
    test.set(name, test.revocation(test.now));
    test.board.publish(test.policy);
    for (int again = 0; again < 3; ++again) {
      const std::string who = co_await ask(server, test.token);
      EXPECT_EQ(who, "401") << id;
    }
    EXPECT_TRUE(test.policy.remove(name));
  }
  // An older one, of which it is no part.
  test.set(name, test.revocation(test.now - std::chrono::seconds(1)));
  test.board.publish(test.policy);
  const std::string who = co_await ask(server, test.token);
  EXPECT_EQ(who, "u-1") << id;
}

Task<void> change_keys_and_ask(TokenGateTest& test, testing::LocalServer& server) {
  test.board.publish(test.policy);
  std::string who = co_await ask(server, test.token);
  EXPECT_EQ(who, "u-1");
  test.set(kAccessPolicy, TokenGateTest::settings({JwtSigningKey::make().public_key()}));
  test.board.publish(test.policy);
  who = co_await ask(server, test.token);
  EXPECT_EQ(who, "401");
}

/// A node signs tokens with a key of its own, too: one that counts, one of another node, and one that is over.
Task<void> ask_with_own(TokenGateTest& test, testing::LocalServer& server, const JwtSigningKey& own) {
  test.board.publish(test.policy);
  const std::string service = test.policy.settings().service;
  const std::string who = co_await ask(server, sign_claims(own, test.claims, "n", service, test.now));
  EXPECT_EQ(who, "u-1");
  const JwtSigningKey other = JwtSigningKey::make();
  const std::string foreign = co_await answer_to(server, sign_claims(other, test.claims, "n", service, test.now));
  EXPECT_NE(foreign.find("not signed by a key that counts here"), std::string::npos) << foreign;
  test.claims.expires = test.now - std::chrono::minutes(5);
  const WallTime earlier = test.now - std::chrono::minutes(10);
  const std::string over = co_await answer_to(server, sign_claims(own, test.claims, "n", service, earlier));
  EXPECT_TRUE(over.starts_with("HTTP/1.1 401 ")) << over;
  EXPECT_NE(over.find("has expired"), std::string::npos) << over;
}

Task<void> with_gate(TokenGateTest& test, std::function<Task<void>(testing::LocalServer&)> run,
                     const PublicJwtKey* own_key = nullptr) {
  NoLogins logins;
  std::vector<Loop*> loops{&Loop::current()};
  TokenGate::Options options;
  options.own_key = own_key;
  TokenGate gate(test.board, logins, nullptr, std::move(options), std::move(loops));
  WhoAsks service(gate);
  testing::LocalServer server(service);
  co_await server.start();
  co_await run(server);
  co_await server.stop();
}

TEST_F(TokenGateTest, ARevocationCountsAtOnceThoughTheTokenIsRemembered) {
  for (const char* id : {"u-1", "t-1"})
    testing::run_task(
        with_gate(*this, [this, id](testing::LocalServer& server) { return revoke_and_ask(*this, server, id); }));
}

TEST_F(TokenGateTest, AKeyThatIsGoneCountsNoMoreThoughTheTokenIsRemembered) {
  testing::run_task(
      with_gate(*this, [this](testing::LocalServer& server) { return change_keys_and_ask(*this, server); }));
}

TEST_F(TokenGateTest, ANodesOwnTokensCountAndOfOneThatIsOverThatIsSaid) {
  const JwtSigningKey own = JwtSigningKey::make();
  const auto run = [&](testing::LocalServer& server) { return ask_with_own(*this, server, own); };
  testing::run_task(with_gate(*this, run, &own.public_key()));
}

TEST(TokenMemory, KnowsWholeTokensAlone) {
  const auto settings = std::make_shared<const AccessSettings>();
  const WallTime now = Clock::system().wall();
  Claims claims;
  claims.expires = now + std::chrono::seconds(1);
  const auto kept = std::make_shared<const Claims>(claims);
  const std::string end(TokenMemory::kHashedBytes, 's');
  TokenMemory memory;
  for (const std::string& token : std::vector<std::string>{"one." + end, "short", ""}) {
    memory.keep(token, settings, kept);
    EXPECT_NE(memory.find(token, settings, now), nullptr) << token;
    EXPECT_EQ(memory.find(token + "x", settings, now), nullptr) << token;
    EXPECT_EQ(memory.find("x" + token, settings, now), nullptr) << token;
  }
  EXPECT_EQ(memory.find("two." + end, settings, now), nullptr) << "the same end, which alone is hashed";
  EXPECT_EQ(memory.find("one." + end, settings, claims.expires), nullptr) << "expired";
  memory.keep("one." + end, settings, kept);
  EXPECT_EQ(memory.find("one." + end, std::make_shared<const AccessSettings>(), now), nullptr) << "others verified it";
}

}  // namespace
}  // namespace wherry::auth
