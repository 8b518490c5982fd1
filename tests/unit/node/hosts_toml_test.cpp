#include <gtest/gtest.h>

#include "node/clients/containerd.h"
#include "node/clients/toml_text.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/mirrors.h"

namespace wherry::node {
namespace {

using testing::kHub;
using testing::kind_of;
using testing::kNode;

std::string add(const std::optional<std::string>& old, const ContainerdFolder& folder = {},
                const NodePlace& node = kNode, const std::string& ca = "") {
  return add_to_hosts_toml(old, node, kHub, ca, folder).value();
}

/// The hosts of a text in the order in which containerd tries them.
std::vector<std::string> hosts_of(const std::string& text) {
  const toml::table root = parse_toml(text).value();
  std::vector<std::pair<std::uint32_t, std::string>> lines;
  if (const auto* hosts = root["host"].as_table())
    for (const auto& [url, host] : *hosts) lines.emplace_back(host.source().begin.line, url.str());
  std::sort(lines.begin(), lines.end());
  std::vector<std::string> urls;
  for (const auto& line : lines) urls.push_back(line.second);
  return urls;
}

constexpr const char* kUsersHosts[] = {
    "",
    "\n",
    "# only a comment",
    "server = \"https://x\"",
    "server = \"https://x\"\n",
    "server = \"https://x\"\r\n\r\n[host.\"https://m\"]\r\n  ca = \"m.crt\"\r\n",
    "[host.\"https://m\"]\n",
    "# of the whole\nserver = \"https://x\"\n\n# of m\n  # and more\n[host.\"https://m\"]\n[host.\"https://n\"]",
    "# first\n[host.\"https://m\"]\n",
    "[header]\n  x-a = [\n  \"[host.b]\"\n  ]\n[host.\"https://m\"]\n  [host.\"https://m\".header]\n  x = \"1\"\n",
    "client = [\n  [\"a.cert\", \"a.key\"]\n]\n  [host.\"https://m\"]\n",
    "server = '''\n[host.\"https://fake\"]\n'''\n[host.\"https://m\"]",
    "[host]\n  [host.\"https://m\"]\n",
    "# \xc3\xa4\xc3\xb6\n[host.'https://m']\nskip_verify = true # \xe2\x9c\x93\n",
};

TEST(HostsToml, AUsersFileGetsTheNodeFirstAndKeepsAllElse) {
  for (const std::string old : kUsersHosts) {
    const std::string text = add(old);
    auto expected = hosts_of(old);
    expected.insert(expected.begin(), kNode.url);
    EXPECT_EQ(hosts_of(text), expected) << old;
    const auto before = parse_toml(old).value();
    auto after = parse_toml(text).value();
    EXPECT_EQ(after["host"][kNode.url]["capabilities"].as_array()->size(), 2u) << text;
    after["host"].as_table()->erase(kNode.url);
    if (after["host"].as_table()->empty()) after.erase("host");
    EXPECT_EQ(after, before) << text;
  }
}

TEST(HostsToml, TwiceIsOnceAndRemovingGivesTheBytesBack) {
  const auto other = NodePlace::parse("https://node.example").value();
  for (const std::string old : kUsersHosts) {
    const std::string once = add(old);
    EXPECT_TRUE(is_hosts_toml_ours(once)) << once;
    EXPECT_FALSE(is_hosts_toml_ours(old)) << old;
    EXPECT_EQ(add(once), once);
    EXPECT_EQ(remove_from_hosts_toml(once).value(), old);
    EXPECT_EQ(remove_from_hosts_toml(old).value(), old);
    const std::string moved = add(once, {}, other);
    EXPECT_EQ(moved, add(old, {}, other)) << "another node takes the place of the first";
    EXPECT_EQ(remove_from_hosts_toml(moved).value(), old);
  }
}

TEST(HostsToml, CommentsStayAboveTheirTable) {
  const std::string text = add("server = \"https://x\"\n# of m\n\t# and more\n  [host.\"https://m\"]\n");
  EXPECT_TRUE(text.starts_with("server = \"https://x\"\n# wherry-node")) << text;
  EXPECT_TRUE(text.ends_with("end\n# of m\n\t# and more\n  [host.\"https://m\"]\n")) << text;
}

TEST(HostsToml, WhatTheUserAddsAroundOursStaysWhenOursGoes) {
  std::string text = add("server = \"https://x\"\n[host.\"https://m\"]\n");
  text = "# mine\n" + text + "[host.\"https://later\"]\n";
  EXPECT_EQ(add(text), text);
  EXPECT_EQ(remove_from_hosts_toml(text).value(),
            "# mine\nserver = \"https://x\"\n[host.\"https://m\"]\n[host.\"https://later\"]\n");
}

TEST(HostsToml, AFileOfOursNamesTheOriginBehindTheNode) {
  const std::string text = add(std::nullopt);
  const auto root = parse_toml(text).value();
  EXPECT_EQ(root["server"].value<std::string>(), "https://registry-1.docker.io");
  EXPECT_EQ(hosts_of(text), std::vector<std::string>{kNode.url});
  EXPECT_EQ(add(text), text);
  EXPECT_EQ(remove_from_hosts_toml(text).value(), std::nullopt);
  const auto https = NodePlace::parse("https://node.example/").value();
  const auto moved = parse_toml(add(text, {}, https, "/etc/ca.crt")).value();
  EXPECT_EQ(moved["host"]["https://node.example"]["ca"].value<std::string>(), "/etc/ca.crt");
}

TEST(HostsToml, ANewFileRepeatsWhatItHides) {
  ContainerdFolder folder;
  folder.ca = {"a.crt", "b.crt"};
  folder.client = {{"c.cert", "c.key"}, {"d.cert", ""}};
  const auto root = parse_toml(add(std::nullopt, folder)).value();
  EXPECT_EQ(root["ca"].as_array()->size(), 2u);
  EXPECT_EQ(root["client"][0][1].value<std::string>(), "c.key");
  EXPECT_EQ(root["client"][1].as_array()->size(), 1u);

  folder = {};
  folder.fallback = "[host.\"https://everywhere\"]\n  ca = \"/etc/everywhere.crt\"\n";
  const std::string text = add(std::nullopt, folder);
  EXPECT_EQ(hosts_of(text), (std::vector<std::string>{kNode.url, "https://everywhere"}));
  EXPECT_EQ(add(text, folder), text);
  EXPECT_EQ(remove_from_hosts_toml(text).value(), std::nullopt);
  for (const char* relative : {"ca = \"x.crt\"", "[host.\"https://m\"]\nclient = [[\"/a\", \"b\"]]"}) {
    folder.fallback = relative;
    EXPECT_EQ(kind_of(add_to_hosts_toml(std::nullopt, kNode, kHub, "", folder)), ErrorKind::kInvalid) << relative;
  }
}

TEST(HostsToml, AHostThatTheUserWroteIsLeftAlone) {
  const std::string old = "[host.\"https://m\"]\n[host.\"http://127.0.0.1:5010\"]\n";
  EXPECT_EQ(add(old), old);
}

TEST(HostsToml, WhatCannotBeUnderstoodIsRefused) {
  for (const char* old : {"server = ", "[host.\"https://m\"", "a = 1\na = 2\n", "\xff\xfe", "host = 1\n",
                          "host = { \"https://m\" = {} }\n", "host.\"https://m\".skip_verify = true\n"})
    EXPECT_EQ(kind_of(add_to_hosts_toml(old, kNode, kHub, "", {})), ErrorKind::kInvalid) << old;
  std::string halved = add("server = \"https://x\"\n");
  halved.resize(halved.rfind("# wherry-node"));
  EXPECT_EQ(kind_of(remove_from_hosts_toml(halved)), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(add_to_hosts_toml(halved, kNode, kHub, "", {})), ErrorKind::kInvalid);
}

TEST(HostsToml, WhetherContainerdReadsThem) {
  EXPECT_TRUE(
      reads_hosts_toml("[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = "
                       "\"/etc/containerd/certs.d:/etc/docker/certs.d\"\n"));
  EXPECT_TRUE(
      reads_hosts_toml("[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = "
                       "'/etc/containerd/certs.d'\n"));
  EXPECT_FALSE(reads_hosts_toml("[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"\"\n"));
  EXPECT_FALSE(reads_hosts_toml("# config_path = \"/etc/containerd/certs.d\"\n"));
  EXPECT_FALSE(reads_hosts_toml("plugins = 1"));
}

TEST(NodePlace, IsARootThatClientsReach) {
  const auto plain = NodePlace::parse("http://127.0.0.1:5010/").value();
  EXPECT_EQ(plain.url, "http://127.0.0.1:5010");
  EXPECT_EQ(plain.host, "127.0.0.1:5010");
  EXPECT_TRUE(plain.is_plain);
  EXPECT_TRUE(plain.is_loopback);
  EXPECT_TRUE(NodePlace::parse("http://[::1]:5010").value().is_loopback);
  EXPECT_TRUE(NodePlace::parse("http://localhost:5010").value().is_loopback);
  const auto far = NodePlace::parse("https://node.example").value();
  EXPECT_FALSE(far.is_plain);
  EXPECT_FALSE(far.is_loopback);
  for (const char* wrong : {"", "node:5010", "ftp://node", "http://node/path", "http://a:b@node", "http://no\"de",
                            "http://node?x=1", "http://node#x"})
    EXPECT_EQ(kind_of(NodePlace::parse(wrong)), ErrorKind::kInvalid) << wrong;
}

}  // namespace
}  // namespace wherry::node
