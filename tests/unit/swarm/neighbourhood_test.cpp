#include "common/swarm/neighbourhood.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/swarm/acquaintances.h"

namespace wherry::swarm {
namespace {

using std::chrono::seconds;
using testing::Acquaintances;

constexpr Monotonic kBegin{};

Neighbourhood::Member member(const std::string& name, const std::string& site = "paris") {
  return {name, name + ":6881", site};
}

/// It is not willing to meet anybody of another site.
Neighbourhood::Member homely(const std::string& name, const std::string& site) {
  Neighbourhood::Member one = member(name, site);
  one.may_bridge = false;
  return one;
}

std::set<std::string> bridges_of(const Neighbourhood& all, const std::string& site) {
  std::set<std::string> bridges;
  for (const auto& [name, each] : all.members())
    if (each.is_bridge && each.site == site) bridges.insert(name);
  return bridges;
}

std::set<std::string> names_of(const std::vector<Neighbourhood::Member>& members) {
  std::set<std::string> names;
  for (const auto& each : members) names.insert(each.name);
  return names;
}

TEST(NeighbourhoodTest, TheFirstOneMeetsNobodyAndTheNextOnesAllWhoAreThere) {
  Neighbourhood all(1);
  EXPECT_TRUE(all.join(member("a"), kBegin).empty());
  const auto met = all.join(member("b"), kBegin);
  ASSERT_EQ(met.size(), 1U);
  EXPECT_EQ(met[0].name, "a");
  EXPECT_EQ(met[0].address, "a:6881");
  EXPECT_EQ(names_of(all.join(member("c"), kBegin)), (std::set<std::string>{"a", "b"}));
}

TEST(NeighbourhoodTest, EachMeetsAFewAndNobodyIsMetByMany) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Acquaintances known(seed, 500);
    EXPECT_LE(known.most_introduced(), Neighbourhood::kIntroduced);
    EXPECT_GE(known.fewest_known(), Neighbourhood::kIntroduced) << "seed " << seed;
    EXPECT_LE(known.most_known(), 4 * Neighbourhood::kIntroduced) << "seed " << seed;
  }
}

TEST(NeighbourhoodTest, ThoseThatFewKnowAreMetFirst) {
  Neighbourhood all(1);
  for (const auto& [name, known_by] : {std::pair{"a", 30U}, {"b", 10U}, {"c", 20U}, {"d", 40U}, {"e", 11U}, {"f", 12U}})
    all.join({name, "", "paris", {}, known_by}, kBegin);
  EXPECT_EQ(names_of(all.join(member("new"), kBegin)), (std::set<std::string>{"a", "b", "c", "e", "f"}));
}

TEST(NeighbourhoodTest, WhoKnowsTooFewMeetsAsManyAsItLacks) {
  Neighbourhood all(1);
  for (int i = 0; i < 50; ++i) all.join(member("n" + std::to_string(i)), kBegin);
  const auto met_by_one_who_knows = [&](std::uint32_t known_by) {
    return all.join({"asks-again", "", "paris", {}, known_by}, kBegin).size();
  };
  EXPECT_EQ(met_by_one_who_knows(0), Neighbourhood::kIntroduced);
  EXPECT_EQ(met_by_one_who_knows(Neighbourhood::kWanted - 2), 2U);
  EXPECT_EQ(all.members().at("asks-again").known_by, Neighbourhood::kWanted);
  EXPECT_EQ(met_by_one_who_knows(Neighbourhood::kWanted), 0U);
  EXPECT_EQ(met_by_one_who_knows(1000), 0U);
}

TEST(NeighbourhoodTest, AllAreFewStepsFromOneAnotherHoweverManyJoined) {
  struct Case {
    int members;
    int steps;  ///< of a graph at random of that many and this degree, and one
  };
  for (const auto& [members, steps] : {Case{40, 4}, {1000, 6}, {5000, 7}}) {
    Acquaintances known(3, members);
    EXPECT_EQ(known.reached_from_first(), members) << "nobody is cut off";
    EXPECT_LE(known.steps_from_first(), steps) << members;
    EXPECT_LE(known.steps_from_last(), steps) << members;
  }
}

TEST(NeighbourhoodTest, NobodyMeetsItselfOrAnybodyTwice) {
  Neighbourhood all(1);
  for (int i = 0; i < 8; ++i) all.join(member("n" + std::to_string(i)), kBegin);
  for (int i = 0; i < 8; ++i) {
    const std::string name = "n" + std::to_string(i);
    const auto met = all.join(member(name), kBegin);
    EXPECT_EQ(names_of(met).size(), met.size());
    EXPECT_FALSE(names_of(met).contains(name));
  }
  EXPECT_EQ(all.members().size(), 8U) << "who asks again is one";
}

TEST(NeighbourhoodTest, SitesMeetByTheirBridgesAlone) {
  Neighbourhood all(1);
  std::size_t met_abroad = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "n" + std::to_string(i);
    const std::string site = i % 3 == 0 ? "paris" : i % 3 == 1 ? "rome" : "oslo";
    std::size_t abroad = 0;
    for (const auto& each : all.join(member(name, site), kBegin)) {
      if (each.site == site) continue;
      ++abroad;
      EXPECT_TRUE(each.is_bridge && all.members().at(name).is_bridge) << each.name << " " << name;
    }
    EXPECT_LE(abroad, Neighbourhood::kBridgesMet);
    met_abroad += abroad;
  }
  EXPECT_GE(met_abroad, 5U);
  EXPECT_EQ(bridges_of(all, "paris"), (std::set<std::string>{"n0", "n3"})) << "the first who came";
  EXPECT_EQ(bridges_of(all, "rome"), (std::set<std::string>{"n1", "n4"}));
}

TEST(NeighbourhoodTest, WhoDoesNotWantToMeetsNobodyOfAnotherSite) {
  Neighbourhood all(1);
  all.join(member("a"), kBegin);
  EXPECT_TRUE(all.join(homely("b", "rome"), kBegin).empty());
  EXPECT_TRUE(bridges_of(all, "rome").empty());
  EXPECT_EQ(names_of(all.join(member("c", "rome"), kBegin)), (std::set<std::string>{"a", "b"}));
}

TEST(NeighbourhoodTest, WhenABridgeLeavesTheNextOneWhoAsksIsOneInItsPlace) {
  Neighbourhood all(1);
  for (const char* const name : {"a", "b", "c", "d"}) all.join(member(name), kBegin);
  all.join(member("far", "rome"), kBegin);
  all.leave("a");
  EXPECT_EQ(bridges_of(all, "paris"), (std::set<std::string>{"b"}));
  EXPECT_TRUE(names_of(all.join(member("d"), kBegin)).contains("far"));
  EXPECT_EQ(bridges_of(all, "paris"), (std::set<std::string>{"b", "d"}));
  EXPECT_FALSE(names_of(all.join(member("c"), kBegin)).contains("far"));
  EXPECT_TRUE(names_of(all.join(member("b"), kBegin)).contains("far")) << "who is one stays one";
}

TEST(NeighbourhoodTest, ABridgeIsLeftRoomForOtherSites) {
  Neighbourhood all(1);
  all.join(member("a"), kBegin);
  all.join(member("b", "rome"), kBegin);
  for (int i = 0; i < 40; ++i) all.join(member("n" + std::to_string(i)), kBegin);
  Neighbourhood::Member again = member("a");
  again.known_by = Neighbourhood::kWantedByBridge;
  EXPECT_EQ(names_of(all.join(again, kBegin)), (std::set<std::string>{"b"})) << "nobody more of its own";
  std::size_t met = 0;
  for (int i = 0; i < 200; ++i)
    if (names_of(all.join(member("m" + std::to_string(i)), kBegin)).contains("a")) ++met;
  EXPECT_LE(met, 2U);
}

TEST(NeighbourhoodTest, SilentBridgesAreMetNoMore) {
  Neighbourhood all(1);
  all.join(member("silent", "rome"), kBegin);
  const Monotonic later = kBegin + Neighbourhood::kSilence;
  EXPECT_TRUE(all.join(member("a"), later).empty());
}

TEST(NeighbourhoodTest, WhoMovedIsMetWhereItIsNow) {
  Neighbourhood all(1);
  all.join(member("a"), kBegin);
  all.join({"a", "elsewhere:1", "rome"}, kBegin);
  EXPECT_TRUE(all.join(homely("b", "paris"), kBegin).empty());
  const auto met = all.join(homely("c", "rome"), kBegin);
  ASSERT_EQ(met.size(), 1U);
  EXPECT_EQ(met[0].address, "elsewhere:1");
}

TEST(NeighbourhoodTest, TheSilentAreMetNoMoreAndForgotten) {
  Neighbourhood all(1);
  all.join(member("silent"), kBegin);
  all.join(member("talking"), kBegin);
  const Monotonic later = kBegin + Neighbourhood::kSilence;
  EXPECT_TRUE(all.heard("talking", later - seconds(1)));
  EXPECT_EQ(names_of(all.join(member("new"), later)), (std::set<std::string>{"talking"}));
  EXPECT_EQ(all.forget_silent(later), 1U);
  EXPECT_FALSE(all.heard("silent", later)) << "it has to join anew";
  EXPECT_EQ(all.members().size(), 2U);
  EXPECT_EQ(all.forget_silent(later), 0U);
  EXPECT_EQ(names_of(all.join(member("newer"), later)), (std::set<std::string>{"talking", "new"}));
}

TEST(NeighbourhoodTest, ManySilentOnesDoNotHideTheOneWhoTalks) {
  Neighbourhood all(1);
  for (int i = 0; i < 200; ++i) all.join(member("silent" + std::to_string(i)), kBegin);
  const Monotonic later = kBegin + Neighbourhood::kSilence;
  all.heard("silent77", later);
  EXPECT_EQ(names_of(all.join(member("new"), later)), (std::set<std::string>{"silent77"}));
}

TEST(NeighbourhoodTest, WhoLeftIsMetNoMore) {
  Neighbourhood all(1);
  all.join(member("a"), kBegin);
  all.leave("a");
  all.leave("nobody");
  EXPECT_FALSE(all.heard("a", kBegin));
  EXPECT_TRUE(all.join(member("b"), kBegin).empty());
}

TEST(NeighbourhoodTest, WhoComesAndGoesInAnyOrderLeavesOnlyThoseWhoStay) {
  std::mt19937_64 random(5);
  Neighbourhood all(1);
  std::map<std::string, std::string> there;  // name to site
  for (int step = 0; step < 3000; ++step) {
    const std::string name = "n" + std::to_string(random() % 20);
    const std::string site = random() % 2 == 0 ? "paris" : "rome";
    if (random() % 3 == 0) {
      all.leave(name);
      there.erase(name);
      continue;
    }
    there[name] = site;
    for (const auto& each : all.join(member(name, site), kBegin)) {
      ASSERT_TRUE(there.contains(each.name));
      ASSERT_TRUE(there[each.name] == site || (each.is_bridge && all.members().at(name).is_bridge));
      ASSERT_NE(each.name, name);
    }
    ASSERT_EQ(all.members().size(), there.size());
  }
}

TEST(NeighbourhoodTest, WhatAMemberSaysThatItHasIsKeptUntilItComesAnew) {
  Neighbourhood all(1);
  all.join(member("a"), kBegin);
  all.has("a", 7);
  all.has("nobody", 7);
  EXPECT_EQ(all.members().at("a").pieces, 7U);
  EXPECT_EQ(all.members().size(), 1U);
  all.join(member("a"), kBegin);
  EXPECT_EQ(all.members().at("a").pieces, 0U);
}

}  // namespace
}  // namespace wherry::swarm
