#include "common/net/listener.h"

#include <gtest/gtest.h>

#include "tests/unit/support/error_kind.h"

namespace wherry {
namespace {

TEST(Listener, SocketsOnPortZeroShareARealPort) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    const auto address = SocketAddress::parse(text).value();
    const auto sockets = listen_on(address, 3);
    if (!sockets && address.storage.ss_family == AF_INET6) continue;  // a machine without IPv6
    ASSERT_TRUE(sockets) << sockets.error().message();
    const auto first = SocketAddress::local_of(sockets->front().get());
    EXPECT_GT(first.port(), 0);
    EXPECT_TRUE(first.is_loopback());
    for (const UniqueFd& each : *sockets) EXPECT_EQ(SocketAddress::local_of(each.get()).port(), first.port());
  }
}

TEST(Listener, WhereSomebodyListensNobodyElseCan) {
  const auto sockets = listen_on(SocketAddress::parse("127.0.0.1:0").value(), 2);
  ASSERT_TRUE(sockets);
  auto taken = SocketAddress::local_of(sockets->front().get());
  const auto refused = listen_on(taken, 2);
  ASSERT_EQ(testing::kind_of(refused), ErrorKind::kIo);
  EXPECT_NE(refused.error().message().find(taken.to_string()), std::string::npos);
  auto everywhere = SocketAddress::parse("0.0.0.0:1").value();
  everywhere.set_port(taken.port());
  EXPECT_FALSE(listen_on(everywhere, 2));
}

TEST(Listener, AnAddressThatIsNotOursIsRefusedByName) {
  const auto refused = listen_on(SocketAddress::parse("192.0.2.1:5000").value(), 1);
  ASSERT_EQ(testing::kind_of(refused), ErrorKind::kIo);
  EXPECT_NE(refused.error().message().find("192.0.2.1:5000"), std::string::npos);
}

}  // namespace
}  // namespace wherry
