#include <gtest/gtest.h>

#include "node/clients/podman.h"
#include "node/clients/toml_text.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/mirrors.h"

namespace wherry::node {
namespace {

using testing::kHub;
using testing::kind_of;
using testing::kNode;

const Mirror kTest{"registry.test:5000", "registry.test__5000", "http://127.0.0.1:5001"};

toml::table entry(const std::string& text, std::size_t number) {
  return *parse_toml(text).value()["registry"][number].as_table();
}

TEST(RegistriesConf, TheNodeIsTheMirrorAndTheRegistryBehindIt) {
  const std::string text = make_registries_conf({}, kNode, {kHub, kTest}).value();
  const auto hub = entry(text, 0);
  EXPECT_EQ(hub["prefix"].value<std::string>(), "docker.io");
  EXPECT_EQ(hub["location"].value<std::string>(), "docker.io");
  EXPECT_FALSE(hub.contains("insecure"));
  EXPECT_EQ(hub["mirror"][0]["location"].value<std::string>(), "127.0.0.1:5010/docker.io");
  EXPECT_EQ(hub["mirror"][0]["insecure"].value<bool>(), true);
  const auto test = entry(text, 1);
  EXPECT_EQ(test["location"].value<std::string>(), "127.0.0.1:5001");
  EXPECT_EQ(test["insecure"].value<bool>(), true);
  EXPECT_EQ(test["mirror"][0]["location"].value<std::string>(), "127.0.0.1:5010/registry.test__5000");
  const auto https = NodePlace::parse("https://node.example").value();
  EXPECT_FALSE(entry(make_registries_conf({}, https, {kHub}).value(), 0)["mirror"][0].as_table()->contains("insecure"));
}

TEST(RegistriesConf, WhatTheUserSaidOfTheRegistryIsTakenOver) {
  const std::vector<RegistriesFile> users = {
      {"a", "[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = 'lost.example'\n"},
      {"b",
       "unqualified-search-registries = ['docker.io']\n[[registry]]\nprefix = 'docker.io'\nlocation = "
       "'hub.example/cache'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "
       "'m.example'\npull-from-mirror = 'tag-only'\n[[registry.mirror]]\nlocation = 'n.example'\ninsecure = "
       "true\n[[registry]]\nlocation = 'other.example'\n"},
      {"c", "[aliases]\n'alpine' = 'docker.io/library/alpine'\n"}};
  const std::string text = make_registries_conf(users, kNode, {kHub}).value();
  const auto hub = entry(text, 0);
  EXPECT_EQ(hub["location"].value<std::string>(), "hub.example/cache");
  EXPECT_EQ(hub["mirror-by-digest-only"].value<bool>(), true);
  ASSERT_EQ(hub["mirror"].as_array()->size(), 3u) << text;
  EXPECT_EQ(hub["mirror"][0]["location"].value<std::string>(), "127.0.0.1:5010/docker.io");
  EXPECT_EQ(hub["mirror"][1]["pull-from-mirror"].value<std::string>(), "tag-only");
  EXPECT_EQ(hub["mirror"][2]["insecure"].value<bool>(), true);
  EXPECT_EQ(parse_toml(text).value()["registry"].as_array()->size(), 1u);
  EXPECT_EQ(text, make_registries_conf(users, kNode, {kHub}).value());
}

TEST(RegistriesConf, TheListsOfTheOldFormAreTakenOver) {
  const std::string text =
      make_registries_conf({{"a",
                             "[registries.search]\nregistries = ['x']\n[registries.insecure]\nregistries = "
                             "['docker.io']\n"}},
                           kNode, {kHub})
          .value();
  EXPECT_EQ(entry(text, 0)["insecure"].value<bool>(), true);
  EXPECT_EQ(entry(text, 0)["location"].value<std::string>(), "docker.io");
}

TEST(RegistriesConf, ANodeThatTheUserNamesIsNotNamedTwice) {
  const RegistriesFile users{
      "a", "[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = '127.0.0.1:5010/docker.io'\n"};
  EXPECT_EQ(entry(make_registries_conf({users}, kNode, {kHub}).value(), 0)["mirror"].as_array()->size(), 1u);
}

TEST(RegistriesConf, RegistriesGoOneByOne) {
  const std::string both = make_registries_conf({}, kNode, {kHub, kTest}).value();
  EXPECT_EQ(remove_from_registries_conf(both, {"docker.io"}), make_registries_conf({}, kNode, {kTest}).value());
  EXPECT_EQ(remove_from_registries_conf(both, {"registry.test:5000"}), make_registries_conf({}, kNode, {kHub}).value());
  EXPECT_EQ(remove_from_registries_conf(both, {"docker", "registry.test"}), both);
  EXPECT_EQ(remove_from_registries_conf(both, {"docker.io", "registry.test:5000"}), std::nullopt);
}

TEST(RegistriesConf, AFileThatIsNoTomlIsNamed) {
  const auto made = make_registries_conf({{"/etc/x.conf", "[[registry]\n"}}, kNode, {kHub});
  EXPECT_EQ(kind_of(made), ErrorKind::kInvalid);
  EXPECT_TRUE(made.error().message().starts_with("/etc/x.conf: line 1")) << made.error().message();
}

TEST(RegistriesConf, AnOriginWithAPathIsReachedByItsName) {
  for (const auto& [url, location] : {std::pair{"https://x.example/", "x.example"},
                                      {"https://x.example/proxy", "name.example"},
                                      {"http://x.example:8080", "x.example:8080"}})
    EXPECT_EQ((Mirror{"name.example", "name.example", url}.origin_location()), location) << url;
}

}  // namespace
}  // namespace wherry::node
