#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "node/clients/docker.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/mirrors.h"

namespace wherry::node {
namespace {

using nlohmann::ordered_json;
using testing::kind_of;
using testing::kNode;

const NodePlace kFar = NodePlace::parse("http://10.0.0.7:5010").value();

constexpr const char* kUsers[] = {
    "",
    " \n",
    "{}",
    "{}\n",
    "{\"debug\":true}",
    "{ \"debug\" : true,\n\n \"b\": [1,  2.50, {\"c\": null}] }\n",
    "{\n    \"debug\": true,\n    \"a\": \"\xc3\xa4\"\n}\n",
    "{\n\t\"registry-mirrors\": [\n\t\t\"https://m\"\n\t],\n\t\"zz\": 1,\n\t\"aa\": 2\n}",
    "{\"registry-mirrors\": [], \"insecure-registries\": [\"10.0.0.0/8\"]}",
};

TEST(DaemonJson, TheNodeComesFirstAndAllElseStays) {
  for (const std::string old : kUsers) {
    const auto after = ordered_json::parse(add_to_daemon_json(old, kFar).value());
    EXPECT_EQ(after["registry-mirrors"][0], kFar.url) << old;
    EXPECT_EQ(after["insecure-registries"].back(), kFar.host) << old;
    if (old.find('{') == old.npos) continue;
    const auto before = ordered_json::parse(old);
    for (const auto& [key, value] : before.items()) {
      if (!value.is_array() || key == "b") {
        EXPECT_EQ(after[key], value) << old;
      } else {
        for (const auto& entry : value)
          EXPECT_NE(std::find(after[key].begin(), after[key].end(), entry), after[key].end()) << old;
      }
    }
  }
}

TEST(DaemonJson, TwiceIsOnceAndRemovingGivesTheBytesBack) {
  for (const std::string old : kUsers)
    for (const NodePlace& node : {kNode, kFar}) {
      const std::string once = add_to_daemon_json(old, node).value();
      EXPECT_EQ(add_to_daemon_json(once, node).value(), once);
      EXPECT_EQ(remove_from_daemon_json(once, node, old).value(), old);
      EXPECT_EQ(remove_from_daemon_json(old, node, std::nullopt).value(), old);
    }
}

TEST(DaemonJson, AFileThatWasNotThereGoesAgain) {
  const std::string once = add_to_daemon_json(std::nullopt, kNode).value();
  EXPECT_EQ(once, "{\n  \"registry-mirrors\": [\n    \"http://127.0.0.1:5010\"\n  ]\n}\n");
  EXPECT_EQ(remove_from_daemon_json(once, kNode, std::nullopt).value(), std::nullopt);
}

TEST(DaemonJson, OnlyAPlainNodeElsewhereIsInsecure) {
  for (const char* url : {"http://127.0.0.1:5010", "https://node.example"})
    EXPECT_EQ(add_to_daemon_json("{}", NodePlace::parse(url).value()).value().find("insecure"), std::string::npos);
  EXPECT_NE(add_to_daemon_json("{}", kFar).value().find("\"insecure-registries\":[\"10.0.0.7:5010\"]"),
            std::string::npos);
}

TEST(DaemonJson, WhatTheUserChangedMeanwhileStaysAsItIsWritten) {
  for (const std::string indent : {"  ", "    ", "\t"}) {
    const std::string first = "{\n" + indent + "\"debug\": true\n}\n";
    std::string text = add_to_daemon_json(first, kNode).value();
    text.replace(text.find("true"), 4, "false");
    EXPECT_EQ(remove_from_daemon_json(text, kNode, first).value(), "{\n" + indent + "\"debug\": false\n}\n");
  }
}

TEST(DaemonJson, AnEntryThatWasThereBeforeStays) {
  const std::string first = "{\"registry-mirrors\":[\"https://m\"],\"insecure-registries\":[\"10.0.0.7:5010\"]}";
  const std::string once = add_to_daemon_json(first, kFar).value();
  EXPECT_EQ(remove_from_daemon_json(once, kFar, first).value(), first);
  const std::string named = "{\"registry-mirrors\":[\"https://m\",\"http://127.0.0.1:5010/\"]}";
  EXPECT_EQ(add_to_daemon_json(named, kNode).value(), named);
}

TEST(DaemonJson, WhatCannotBeUnderstoodIsRefused) {
  for (const char* old : {"{", "[]", "1", "{\"registry-mirrors\": \"https://m\"}", "{\"registry-mirrors\": [1]}",
                          "{\"insecure-registries\": {}}", "{} {}", "# comment\n{}"}) {
    EXPECT_EQ(kind_of(add_to_daemon_json(old, kNode)), ErrorKind::kInvalid) << old;
    EXPECT_EQ(kind_of(remove_from_daemon_json(old, kNode, std::nullopt)), ErrorKind::kInvalid) << old;
  }
}

TEST(DaemonJson, DepthHasABound) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(add_to_daemon_json(nested(32), kNode));
  EXPECT_EQ(kind_of(add_to_daemon_json(nested(500'000), kNode)), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry::node
