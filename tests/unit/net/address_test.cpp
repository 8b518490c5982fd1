#include "common/net/address.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"

namespace wherry {
namespace {

TEST(SocketAddress, IsReadAndWrittenBack) {
  struct Case {
    std::string text;
    std::string written;
    std::uint16_t port;
    bool loopback;
  };
  const std::vector<Case> cases = {{"127.0.0.1:5000", "127.0.0.1:5000", 5000, true},
                                   {"localhost:80", "127.0.0.1:80", 80, true},
                                   {"127.255.255.254:1", "127.255.255.254:1", 1, true},
                                   {"0.0.0.0:0", "0.0.0.0:0", 0, false},
                                   {"10.1.2.3:65535", "10.1.2.3:65535", 65535, false},
                                   {"126.255.255.255:1", "126.255.255.255:1", 1, false},
                                   {"128.0.0.1:1", "128.0.0.1:1", 1, false},
                                   {"[::1]:5000", "[::1]:5000", 5000, true},
                                   {"[0:0:0:0:0:0:0:1]:5000", "[::1]:5000", 5000, true},
                                   {"[::]:5000", "[::]:5000", 5000, false},
                                   {"[fe80::1]:443", "[fe80::1]:443", 443, false},
                                   {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", 1, false}};
  for (const auto& c : cases) {
    const auto address = SocketAddress::parse(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->to_string(), c.written);
    EXPECT_EQ(address->port(), c.port);
    EXPECT_EQ(address->is_loopback(), c.loopback) << c.text;
  }
}

TEST(SocketAddress, WhatIsNotNumericHostAndPortIsRefused) {
  const std::vector<std::string> wrong = {"",
                                          ":",
                                          "5000",
                                          ":5000",
                                          "127.0.0.1",
                                          "127.0.0.1:",
                                          "127.0.0.1:x",
                                          "127.0.0.1:65536",
                                          "127.0.0.1:-1",
                                          "127.0.0.1:+1",
                                          "127.0.0.1: 1",
                                          "127.0.0.1:08",
                                          "127.0.0.1:1:2",
                                          "127.0.0.1:99999999999999999999",
                                          "127.1:80",
                                          "256.0.0.1:80",
                                          "127.0.0.1 :80",
                                          " 127.0.0.1:80",
                                          "::1:80",
                                          "[::1]",
                                          "[::1]80",
                                          "[]:80",
                                          "[:80",
                                          "::1]:80",
                                          "[::1:80",
                                          "[127.0.0.1]:80",
                                          "[::1%lo]:80",
                                          "[::g]:80",
                                          "example.com:80",
                                          "LOCALHOST:80",
                                          std::string("127.0.0.1\0:80", 13),
                                          std::string("127.0.0.1\0.evil:80", 18),
                                          std::string("[::1\0x]:80", 10)};
  for (const auto& text : wrong) EXPECT_EQ(testing::kind_of(SocketAddress::parse(text)), ErrorKind::kInvalid) << text;
}

TEST(SocketAddress, ARefusalShowsWhatWasGivenAndWhatIsWanted) {
  const auto refused = SocketAddress::parse("registry:5000");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("'registry:5000'"), std::string::npos);
  EXPECT_NE(refused.error().message().find("127.0.0.1:5000"), std::string::npos);
}

TEST(SocketAddress, OnlyGloballyReachableAddressesArePublic) {
  for (const char* text : {"1.1.1.1:443", "8.8.8.8:1", "172.15.0.1:1", "172.32.0.1:1", "192.169.0.1:1",
                           "100.63.255.255:1", "[2606:4700::1]:443", "[64:ff9b::8.8.8.8]:1"})
    EXPECT_TRUE(SocketAddress::parse(text).value().is_public()) << text;
  for (const char* text : {"127.0.0.1:1",
                           "0.0.0.0:1",
                           "10.1.2.3:1",
                           "172.16.0.1:1",
                           "172.31.255.255:1",
                           "192.168.1.1:1",
                           "169.254.169.254:80",
                           "100.64.0.1:1",
                           "192.0.2.1:1",
                           "198.18.0.1:1",
                           "224.0.0.1:1",
                           "255.255.255.255:1",
                           "[::1]:1",
                           "[::]:1",
                           "[fe80::1]:1",
                           "[fd00::1]:1",
                           "[ff02::1]:1",
                           "[::ffff:127.0.0.1]:1",
                           "[::ffff:8.8.8.8]:1",
                           "[::127.0.0.1]:1",
                           "[64:ff9b::169.254.169.254]:80",
                           "[2002:7f00:1::]:1",
                           "[2001:db8::1]:1",
                           "[2001::1]:1"})
    EXPECT_FALSE(SocketAddress::parse(text).value().is_public()) << text;
}

TEST(SocketAddress, AHostHasOneNumberWhateverItsPort) {
  const auto id = [](const char* text) { return SocketAddress::parse(text).value().host_id(); };
  EXPECT_EQ(id("10.0.0.1:1"), id("10.0.0.1:65535"));
  EXPECT_EQ(id("10.0.0.1:1"), id("[::ffff:10.0.0.1]:1"));
  EXPECT_EQ(id("[2a00:1::1]:1"), id("[2a00:1::ffff:ffff]:2"));
  EXPECT_NE(id("10.0.0.1:1"), id("10.0.0.2:1"));
  EXPECT_NE(id("[2a00:1::1]:1"), id("[2a00:1:0:1::1]:1"));
  EXPECT_NE(id("0.0.0.0:1"), 0u);
}

}  // namespace
}  // namespace wherry
