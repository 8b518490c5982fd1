#include "common/swarm/site_map.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/swarm/site_tables.h"

namespace wherry::swarm {
namespace {

using nlohmann::ordered_json;

Digest blob(const std::string& content) { return Digest::of(DigestAlgorithm::kSha256, content); }

/// Of 1000 bytes.
SiteMap::Swarm swarm_of(const std::string& content) { return {blob(content), "team/" + content, 1000}; }

ordered_json two_sites() {
  SiteMap map;
  auto first = swarm_of("first");
  first.leased("paris", 1000);
  first.leased("paris", 200);
  first.leased("tokyo", 500);
  map.member(first, "paris", "a", 1000, false);
  map.member(first, "paris", "b", 300, true);
  map.member(first, "tokyo", "c", 0, false);
  map.add(std::move(first));
  auto second = swarm_of("second");
  map.member(second, "paris", "a", 1000, false);
  map.add(std::move(second));
  return map.to_json();
}

TEST(SiteMap, AddsUpBySiteByNodeAndInAll) {
  const ordered_json map = two_sites();
  EXPECT_EQ(map["totals"], ordered_json::parse(R"({"swarms":2,"sites":2,"nodes":3,"gathering":2,"giving":2,
    "held_bytes":2300,"whole_bytes":4000,"leased_bytes":1700,"copies":1.7})"));
  EXPECT_EQ(map["sites"]["count"], 2);
  EXPECT_EQ(map["sites"]["listed"][0], ordered_json::parse(R"({"site":"paris","swarms":2,"gathering":1,"giving":2,
    "held_bytes":2300,"whole_bytes":3000,"leased_bytes":1200,"copies":1.2,"nodes":{"count":2,"listed":[
    {"name":"a","gathering":0,"giving":2,"held_bytes":2000,"whole_bytes":2000,"bridges":0},
    {"name":"b","gathering":1,"giving":0,"held_bytes":300,"whole_bytes":1000,"bridges":1}]}})"));
  EXPECT_EQ(map["sites"]["listed"][1]["site"], "tokyo");
  EXPECT_EQ(map["sites"]["listed"][1]["copies"], 0.5);
}

TEST(SiteMap, ListsFirstWhereSomebodyGathers) {
  SiteMap map;
  auto given = swarm_of("given");
  for (const char* const node : {"a", "b", "c"}) map.member(given, "paris", node, 1000, false);
  map.add(std::move(given));
  auto gathered = swarm_of("gathered");
  gathered.leased("paris", 1200);
  map.member(gathered, "paris", "a", 999, false);
  map.add(std::move(gathered));
  const ordered_json swarms = map.to_json()["swarms"];
  EXPECT_EQ(swarms["count"], 2);
  ASSERT_EQ(swarms["listed"].size(), 2U);
  EXPECT_EQ(swarms["listed"][0]["digest"], blob("gathered").to_string());
  EXPECT_EQ(swarms["listed"][0]["sites"]["listed"][0]["copies"], 1.2);
  EXPECT_EQ(swarms["listed"][1]["repository"], "team/given");
  EXPECT_TRUE(swarms["listed"][1]["copies"].is_null());
}

TEST(SiteMap, LeavesOutASwarmThatEverybodyLeft) {
  SiteMap map;
  auto left = swarm_of("left");
  left.leased("paris", 1000);
  map.add(std::move(left));
  EXPECT_EQ(map.to_json()["totals"]["swarms"], 0);
  EXPECT_EQ(map.to_json()["sites"]["count"], 0);
  EXPECT_EQ(site_tables(map.to_json()), "nobody shares a blob now\n");
}

TEST(SiteMap, CountsAllAndListsAsManyAsItSays) {
  SiteMap map;
  const std::size_t nodes = SiteMap::kMostNodes / 2 + 1;  // at each of two sites
  for (std::size_t i = 0; i < 3 * SiteMap::kMostSwarms; ++i) {
    auto swarm = swarm_of("blob" + std::to_string(i));
    map.member(swarm, "a", "node", i == 0 ? 0 : 1000, false);
    map.add(std::move(swarm));
  }
  auto wide = swarm_of("wide");
  for (std::size_t i = 0; i < SiteMap::kMostSites + 10; ++i)
    map.member(wide, "site-" + std::to_string(i), "node", 1000, false);
  for (std::size_t i = 0; i < nodes; ++i)
    for (const char* const site : {"a", "b"}) map.member(wide, site, "node-" + std::to_string(i), 1000, false);
  map.add(std::move(wide));
  const ordered_json shown = map.to_json();
  EXPECT_EQ(shown["swarms"]["count"], 3 * SiteMap::kMostSwarms + 1);
  ASSERT_EQ(shown["swarms"]["listed"].size(), SiteMap::kMostSwarms);
  EXPECT_EQ(shown["swarms"]["listed"][0]["digest"], blob("blob0").to_string());  // the one in which somebody gathers
  EXPECT_EQ(shown["swarms"]["listed"][1]["digest"], blob("wide").to_string());   // the one with the most members
  EXPECT_EQ(shown["swarms"]["listed"][1]["sites"]["listed"].size(), SiteMap::kMostSitesOfOne);
  EXPECT_EQ(shown["sites"]["count"], SiteMap::kMostSites + 12);
  EXPECT_EQ(shown["sites"]["listed"].size(), SiteMap::kMostSites);
  EXPECT_EQ(shown["totals"]["nodes"], 2 * nodes + 1 + SiteMap::kMostSites + 10);
  std::size_t listed = 0;
  for (const auto& site : shown["sites"]["listed"]) listed += site["nodes"]["listed"].size();
  EXPECT_EQ(listed, SiteMap::kMostNodes);
  EXPECT_EQ(shown["sites"]["listed"][1]["nodes"]["count"], nodes);
  const std::string tables = site_tables(shown);
  EXPECT_NE(tables.find("and 12 more sites\n"), std::string::npos);
  EXPECT_NE(tables.find("and 129 more swarms\n"), std::string::npos);
  EXPECT_NE(tables.find(" more nodes\n"), std::string::npos);
  EXPECT_LT(shown.dump().size(), std::size_t{4} << 20);
}

TEST(SiteTables, ShowSitesNodesAndBlobs) {
  EXPECT_EQ(site_tables(two_sites()),
            "SITE   NODES  SWARMS  GATHERING  GIVING  HELD                LEASED   COPIES\n"
            "paris  2      2       1          2       2.2 KiB of 2.9 KiB  1.2 KiB  1.20\n"
            "tokyo  1      1       1          0       0 B of 1000 B       500 B    0.50\n"
            "\n"
            "NODE  SITE   GATHERING  GIVING  BRIDGES  HELD\n"
            "a     paris  0          2       0        2.0 KiB of 2.0 KiB\n"
            "b     paris  1          0       1        300 B of 1000 B\n"
            "c     tokyo  1          0       0        0 B of 1000 B\n"
            "\n"
            "BLOB                 SIZE    SITES  GATHERING  GIVING  LEASED   COPIES  REPOSITORY\n" +
                blob("first").to_string().substr(0, 19) +
                "  1000 B  2      2          1       1.7 KiB  1.70    team/first\n" +
                blob("second").to_string().substr(0, 19) +
                "  1000 B  1      0          1       0 B      -       team/second\n");
}

TEST(SiteTables, WhatOthersSayMakesATerminalDoNothing) {
  SiteMap map;
  auto swarm = swarm_of("x");
  map.member(swarm, "\x1b[2J\xff", "node", 0, false);
  map.add(std::move(swarm));
  EXPECT_EQ(site_tables(map.to_json()).find('\x1b'), std::string::npos);
  for (const char* const text :
       {"null", "[]", R"({"totals":1})", R"({"totals":{"swarms":1},"sites":[],"swarms":7})",
        R"({"totals":{"swarms":1},"sites":{"listed":[1,{"nodes":[2]}]},"swarms":{"listed":{}}})"})
    EXPECT_FALSE(site_tables(ordered_json::parse(text)).empty()) << text;
}

}  // namespace
}  // namespace wherry::swarm
