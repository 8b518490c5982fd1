#include "node/cache/freshness.h"

#include <gtest/gtest.h>

#include <fstream>

#include "node/upstream/negatives.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/support/turned_clock.h"

namespace wherry::node {
namespace {

using namespace std::chrono_literals;
using testing::kind_of;

Result<Freshness> read(const std::string& text) {
  testing::TempDir directory;
  const std::string path = directory.path() + "/node.yaml";
  std::ofstream(path) << text;
  auto file = ConfigSection::load(path);
  if (!file) return file.error();
  return Freshness::read(*file);
}

TEST(Freshness, TheFirstRuleThatFitsCounts) {
  const auto rules = read(
      "freshness:\n"
      "- {match: ['docker.io/*:latest', 'x:y'], max-age: 1m, stale-while-revalidate: 5m}\n"
      "- {match: 'docker.io/*', max-age: 1h, stale-if: {unreachable: 2h, 5xx: 3h, 429: 4h, denied: 5h, not-found: "
      "6h}}\n");
  ASSERT_TRUE(rules) << rules.error().message();
  EXPECT_EQ(rules->rule("docker.io/library/alpine", "latest", false).max_age, 1min);
  EXPECT_EQ(rules->rule("docker.io/library/alpine", "latest", false).behind, 5min);
  const FreshnessRule& second = rules->rule("docker.io/library/alpine", "3.20", false);
  EXPECT_EQ(second.max_age, 1h);
  EXPECT_EQ(second.stale_if(ErrorKind::kUpstream), 2h);
  EXPECT_EQ(second.stale_if(ErrorKind::kTimeout), 2h);
  EXPECT_EQ(second.stale_if(ErrorKind::kUpstreamFailed), 3h);
  EXPECT_EQ(second.stale_if(ErrorKind::kUpstreamLimited), 4h);
  EXPECT_EQ(second.stale_if(ErrorKind::kDenied), 5h);
  EXPECT_EQ(second.stale_if(ErrorKind::kManifestUnknown), 6h);
  EXPECT_EQ(second.stale_if(ErrorKind::kIo), 0h);
}

TEST(Freshness, WithoutARuleEveryAnswerIsConfirmedAndDownIsNotDeletedOrRefused) {
  const Freshness none;
  const FreshnessRule& rule = none.rule("team/app", "v1", true);
  EXPECT_EQ(rule.max_age, 0ms);
  EXPECT_EQ(none.rule("docker.io/library/alpine", "latest", false).max_age, Freshness::kUpstreamMaxAge);
  EXPECT_GT(rule.stale_if(ErrorKind::kUpstream), 24h);
  EXPECT_GT(rule.stale_if(ErrorKind::kUpstreamLimited), 24h);
  EXPECT_EQ(rule.stale_if(ErrorKind::kDenied), 0ms);
  EXPECT_EQ(rule.stale_if(ErrorKind::kManifestUnknown), 0ms);
}

TEST(Freshness, WhatCannotBeReadIsNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"freshness: 7", "node.yaml:1: freshness"},
      {"freshness: [7]", "node.yaml:1: freshness"},
      {"freshness:\n- max-age: soon", "node.yaml:2: freshness[0].max-age"},
      {"freshness: [{age: 1s}]", "node.yaml:1: freshness[0].age"},
      {"freshness: [{}, {stale-if: {gone: 1s}}]", "node.yaml:1: freshness[1].stale-if.gone"}};
  for (const auto& [text, named] : cases) {
    const auto refused = read(text);
    ASSERT_EQ(kind_of(refused), ErrorKind::kInvalid) << text;
    EXPECT_NE(refused.error().message().find(named), std::string::npos) << refused.error().message();
  }
}

TEST(Negatives, AreBelievedForTheirTimeAndOnlyWhenTheySayNotThere) {
  testing::TurnedClock clock;
  Negatives negatives(clock);
  negatives.keep("a", Error(ErrorKind::kManifestUnknown, "no a"), 5s);
  negatives.keep("b", Error(ErrorKind::kUpstream, "down"), 5s);
  negatives.keep("c", Error(ErrorKind::kBlobUnknown, "no c"), 0s);
  for (const ErrorKind other : {ErrorKind::kTimeout, ErrorKind::kUpstreamFailed, ErrorKind::kUpstreamLimited})
    negatives.keep("d", Error(other, "not now"), 5s);
  ASSERT_TRUE(negatives.find("a"));
  EXPECT_EQ(negatives.find("a")->message(), "no a");
  EXPECT_FALSE(negatives.find("b"));
  EXPECT_FALSE(negatives.find("c"));
  EXPECT_FALSE(negatives.find("d"));
  clock.advance(5s);
  EXPECT_FALSE(negatives.find("a"));
}

TEST(Negatives, AreBounded) {
  Negatives negatives;
  for (std::size_t i = 0; i <= Negatives::kMost; ++i)
    negatives.keep(std::to_string(i), Error(ErrorKind::kBlobUnknown, "no"), 10s);
  EXPECT_FALSE(negatives.find("0"));
  EXPECT_TRUE(negatives.find(std::to_string(Negatives::kMost)));
}

}  // namespace
}  // namespace wherry::node
