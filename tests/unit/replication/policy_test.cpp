#include "master/replication/policy.h"

#include <gtest/gtest.h>

#include "master/replication/image_facts.h"

namespace wherry::replication {
namespace {

using api::Json;

Json good() {
  return Json::parse(R"({"name": "branch", "direction": "push",
    "remote": {"url": "https://registry.example:5000", "credentials-file": "/etc/wherry/branch", "realms": ["auth.example"]},
    "filters": {"repositories": ["team/**"], "tags": ["v*"]},
    "destination": {"strip": "team/", "prefix": "mirror/"},
    "trigger": {"on": "schedule", "cron": "*/5 * * * *"}, "deletions": true, "overwrite": false,
    "limits": {"bytes-per-second": 1000000, "concurrent": 8},
    "windows": [{"days": ["mon"], "from": "22:00", "to": "06:00"}], "priority": 5})");
}

TEST(Policy, IsReadBackAsItWasWritten) {
  const auto policy = Policy::parse(good());
  ASSERT_TRUE(policy) << policy.error().message();
  const auto again = Policy::parse(policy->to_json());
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->to_json(), policy->to_json());
  EXPECT_EQ(again->concurrent, 8u);
  EXPECT_EQ(again->windows.size(), 1u);
  EXPECT_TRUE(again->deletions);
  EXPECT_FALSE(again->overwrite);
}

TEST(Policy, AnErrorNamesTheMember) {
  struct Case {
    const char* pointer;
    Json value;
    const char* field;
  };
  for (const auto& [pointer, value, field] :
       {Case{"/name", "", "name"}, Case{"/name", 5, "name"}, Case{"/remote", Json::array(), "remote"},
        Case{"/remote/url", "registry.example", "remote.url"}, Case{"/filters/tags", Json::array(), "filters.tags"},
        Case{"/filters/labels", Json{{"a", 1}}, "filters.labels.a"}, Case{"/filters/latest", -1, "filters.latest"},
        Case{"/destination/prefix", "UP/", "destination.prefix"}, Case{"/trigger/cron", "", "trigger.cron"},
        Case{"/limits/concurrent", 1000, "limits.concurrent"},
        Case{"/windows/0/days", Json::array({"sunday"}), "windows[0].from"},
        Case{"/windows/0/until", "x", "windows[0].until"}, Case{"/priority", 1.5, "priority"},
        Case{"/enabled", "yes", "enabled"}, Case{"/filters/labels", Json{{"a", "b"}}, "deletions"}}) {
    auto document = good();
    document[Json::json_pointer(pointer)] = value;
    const auto policy = Policy::parse(document);
    ASSERT_FALSE(policy) << pointer;
    EXPECT_EQ(Json::parse(policy.error().detail_json())["field"], field) << policy.error().message();
    EXPECT_TRUE(policy.error().message().starts_with(field)) << policy.error().message();
  }
}

TEST(Policy, PushesElsewhereCannotTriggerAPull) {
  auto document = good();
  document["direction"] = "pull";
  document["trigger"] = {{"on", "push"}};
  const auto policy = Policy::parse(document);
  ASSERT_FALSE(policy);
  EXPECT_TRUE(policy.error().message().starts_with("trigger.on"));
}

TEST(Destination, GivesTheNameAtTheTargetAndBack) {
  const Destination moved{"team/", "mirror/"};
  const auto name = [](std::string_view text) { return RepositoryName::parse(text).value(); };
  EXPECT_EQ(moved.of(name("team/app"))->text(), "mirror/app");
  EXPECT_FALSE(moved.of(name("other/app")));
  EXPECT_EQ(moved.source_of(name("mirror/app"))->text(), "team/app");
  EXPECT_FALSE(moved.source_of(name("elsewhere/app")));
  EXPECT_EQ(Destination().of(name("a/b"))->text(), "a/b");
}

TEST(ImageFacts, FiltersLookAtLabelsPlatformsAndTypes) {
  ImageFacts facts;
  read_config(R"({"os":"linux","architecture":"arm64","variant":"v8","created":"2026-01-01T00:00:00Z",
                  "config":{"Labels":{"stage":"prod","n":5}}})",
              facts);
  facts.media_types.insert("application/x");
  EXPECT_EQ(facts.created, "2026-01-01T00:00:00Z");
  Filters filters;
  EXPECT_TRUE(facts.fit(filters));
  filters.labels = {{"stage", "prod"}};
  filters.platforms = {"linux/arm64"};
  filters.media_types = {"application/x", "application/y"};
  EXPECT_TRUE(facts.fit(filters));
  filters.labels["n"] = "5";
  EXPECT_FALSE(facts.fit(filters));
  filters.labels.erase("n");
  filters.platforms = {"linux/amd64"};
  EXPECT_FALSE(facts.fit(filters));
}

TEST(ImageFacts, WhatIsNoConfigSaysNothing) {
  ImageFacts facts;
  for (const auto& text : {std::string("not json"), std::string("[]"), std::string(1000, '['),
                           std::string(R"({"created":5,"os":[],"config":{"Labels":[]}})")})
    read_config(text, facts);
  EXPECT_TRUE(facts.created.empty());
  EXPECT_TRUE(facts.platforms.empty());
}

}  // namespace
}  // namespace wherry::replication
