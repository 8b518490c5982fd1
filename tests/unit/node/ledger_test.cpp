#include "node/eviction/ledger.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/unit/support/digest_of.h"

namespace wherry::node {
namespace {

using testing::digest_of;

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kMebi = 1 << 20;

RepositoryName repo() { return RepositoryName::parse("a/b").value(); }

/// A ledger with a clock, and names for digests.
struct World {
  explicit World(std::uint64_t max_bytes) : ledger(max_bytes, hours(1)) {}

  void hold(const std::string& name, std::uint64_t bytes = kMebi) {
    names.emplace(digest_of(name), name);
    ledger.found(digest_of(name), bytes, false, std::nullopt);
  }
  /// An image with its blobs, pulled by its tag.
  void image(const std::string& name, const std::vector<std::string>& blobs, bool by_tag = true, bool pinned = false) {
    ManifestFacts facts;
    for (const std::string& blob : blobs) {
      hold(blob);
      facts.blobs.push_back(digest_of(blob));
    }
    facts.blob_bytes = blobs.size() * kMebi;
    if (!ledger.asked(repo(), digest_of(name), by_tag, pinned, now)) {
      ledger.learn(repo(), digest_of(name), facts);
      EXPECT_TRUE(ledger.asked(repo(), digest_of(name), by_tag, pinned, now));
    }
    now += seconds(2);
  }
  std::vector<std::string> choose(std::uint64_t bytes) {
    std::vector<std::string> chosen;
    for (const auto& blob : ledger.choose(bytes, 1000, now)) {
      chosen.push_back(names.at(blob->digest));
      ledger.drop(*blob);
    }
    return chosen;
  }

  Ledger ledger;
  WallTime now = from_millis(1'700'000'000'000);
  std::map<Digest, std::string> names;
};

using Names = std::vector<std::string>;

TEST(Ledger, ABlobIsChargedForItsBlocks) {
  EXPECT_EQ(disk_bytes(0), 4096u);
  EXPECT_EQ(disk_bytes(1), 2 * 4096u);
  EXPECT_EQ(disk_bytes(4096), 2 * 4096u);
  EXPECT_GE(disk_bytes(std::uint64_t{1} << 40), (std::uint64_t{1} << 40) + 8192 * 4096);
}

TEST(Ledger, AFillCountsFromItsPromiseOn) {
  World world(10 * kMebi);
  const auto blob = world.ledger.begin_fill(digest_of("x"), 6 * kMebi, false);
  EXPECT_EQ(world.ledger.used_bytes(), 6 * kMebi);
  EXPECT_EQ(world.ledger.unwritten_bytes(), 6 * kMebi);
  EXPECT_EQ(world.ledger.shortage(5 * kMebi), kMebi);
  world.ledger.written(*blob, 2 * kMebi);
  EXPECT_EQ(world.ledger.unwritten_bytes(), 4 * kMebi);
  EXPECT_TRUE(world.choose(kMebi).empty()) << "what is filled does not go";
  world.ledger.filled(*blob, 6 * kMebi);
  EXPECT_EQ(world.ledger.unwritten_bytes(), 0u);
  EXPECT_EQ(world.ledger.idle_bytes(), 0u) << "its writer still reads it";
  world.ledger.end_reader(*blob);
  EXPECT_EQ(world.ledger.idle_bytes(), 6 * kMebi);
}

TEST(Ledger, TheFirstReaderOfAFillIsNoHitAndTheOthersAre) {
  for (const bool late : {false, true}) {
    World world(100 * kMebi);
    world.names.emplace(digest_of("herd"), "herd");
    world.names.emplace(digest_of("alone"), "alone");
    for (const char* name : {"herd", "alone"}) {
      const auto blob = world.ledger.begin_fill(digest_of(name), kMebi, false);
      world.ledger.join(*blob);
      if (!late && name == std::string("herd")) world.ledger.join(*blob);
      world.ledger.filled(*blob, kMebi);
      if (late && name == std::string("herd")) world.ledger.join(*blob);
      world.ledger.end_reader(*blob);
    }
    EXPECT_EQ(world.choose(kMebi), Names{"alone"});
  }
}

TEST(Ledger, AFailedFillGivesItsBytesBack) {
  World world(10 * kMebi);
  const auto blob = world.ledger.begin_fill(digest_of("x"), 6 * kMebi, false);
  world.ledger.drop(*blob);
  EXPECT_EQ(world.ledger.used_bytes(), 6 * kMebi) << "its file is open";
  world.ledger.end_reader(*blob);
  EXPECT_EQ(world.ledger.used_bytes(), 0u);
  EXPECT_EQ(world.ledger.find(digest_of("x")), nullptr);
}

TEST(Ledger, WhatIsReadStaysAndIsCountedUntilItsReaderEnds) {
  World world(10 * kMebi);
  world.hold("read");
  world.hold("idle");
  const auto blob = world.ledger.find(digest_of("read"));
  world.ledger.add_reader(*blob);
  EXPECT_EQ(world.choose(2 * kMebi), Names{"idle"});
  world.ledger.drop(*blob);  // damaged, say
  EXPECT_EQ(world.ledger.used_bytes(), kMebi);
  world.ledger.end_reader(*blob);
  EXPECT_EQ(world.ledger.used_bytes(), 0u);
}

TEST(Ledger, WhatCouldNotBeRemovedStays) {
  World world(10 * kMebi);
  world.hold("x");
  const auto chosen = world.ledger.choose(1, 10, world.now);
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_EQ(world.ledger.idle_bytes(), 0u);
  world.ledger.stays(*chosen[0]);
  EXPECT_EQ(world.ledger.idle_bytes(), kMebi);
  EXPECT_EQ(world.choose(1), Names{"x"});
}

TEST(Ledger, UntaggedBlobsGoBeforeATaggedImage) {
  World world(100 * kMebi);
  world.image("tagged", {"t1", "t2"});
  world.hold("loose");
  world.image("by digest", {"d1"}, false);
  const auto gone = world.choose(2 * kMebi);
  EXPECT_EQ(std::set<std::string>(gone.begin(), gone.end()), (std::set<std::string>{"loose", "d1"}));
}

TEST(Ledger, TheLeastWantedImageGoesWholeBeforeAnotherIsCut) {
  World world(100 * kMebi);
  world.image("one", {"a1", "a2", "shared"});
  world.image("two", {"b1", "b2", "shared"});
  world.image("one", {});
  EXPECT_EQ(world.choose(kMebi), Names{"b1"});
  world.hold("loose");
  EXPECT_EQ(world.choose(2 * kMebi), (Names{"b2", "loose"})) << "first the rest of the image that was cut";
  EXPECT_NE(world.ledger.find(digest_of("shared")), nullptr);
  EXPECT_EQ(world.choose(10 * kMebi).size(), 3u);
}

TEST(Ledger, AnImageThatIsReadIsNotBegun) {
  World world(100 * kMebi);
  world.image("one", {"a1", "a2"});
  world.image("two", {"b1", "b2"});
  const auto blob = world.ledger.find(digest_of("a2"));
  world.ledger.add_reader(*blob);
  EXPECT_EQ(world.choose(kMebi), Names{"b1"});
  EXPECT_EQ(world.choose(kMebi), Names{"b2"});
  EXPECT_EQ(world.choose(kMebi), Names{"a1"}) << "better than no room at all";
}

TEST(Ledger, AnImageThatIsAskedForAgainIsNoLongerGivenUp) {
  World world(100 * kMebi);
  world.image("one", {"a1", "a2", "a3"});
  EXPECT_EQ(world.choose(kMebi), Names{"a1"});
  world.image("one", {});
  world.hold("loose");
  EXPECT_EQ(world.choose(kMebi), Names{"loose"});
}

TEST(Ledger, AnImageOfWhichNobodyAskedForLongIsLikeAnyBlob) {
  World world(100 * kMebi);
  world.image("old", {"o1", "o2"});
  world.now += hours(2);
  world.image("new", {"n1"});
  EXPECT_EQ(world.choose(2 * kMebi).size(), 2u);
  EXPECT_NE(world.ledger.find(digest_of("n1")), nullptr);
}

TEST(Ledger, AnImageWhoseTagMovedIsLikeAnyBlob) {
  World world(100 * kMebi);
  world.image("one", {"a1"});
  world.image("two", {"b1"});
  world.ledger.untag(repo(), digest_of("two"));
  EXPECT_EQ(world.choose(kMebi), Names{"b1"});
}

TEST(Ledger, ATaggedIndexKeepsTheImagesThatItNames) {
  World world(100 * kMebi);
  ManifestFacts index;
  index.children = {digest_of("early"), digest_of("late")};
  world.image("early", {"e1"}, false);
  world.ledger.learn(repo(), digest_of("index"), index);
  world.ledger.asked(repo(), digest_of("index"), true, false, world.now);
  world.image("early", {}, false);
  world.image("late", {"l1"}, false);
  world.hold("loose");
  EXPECT_EQ(world.choose(kMebi), Names{"loose"});
  world.ledger.untag(repo(), digest_of("index"));
  world.hold("other");
  EXPECT_EQ(world.choose(3 * kMebi).size(), 3u);
}

TEST(Ledger, PinnedImagesAndBlobsNeverGo) {
  World world(100 * kMebi);
  world.image("pinned", {"p1", "p2"}, true, true);
  world.ledger.found(digest_of("base"), kMebi, true, std::nullopt);
  world.hold("idle");
  EXPECT_EQ(world.ledger.idle_bytes(), kMebi);
  world.now += hours(100);
  EXPECT_EQ(world.choose(50 * kMebi), Names{"idle"});
}

TEST(Ledger, SmallBlobsAreNotInTheWayUntilTheyAreMany) {
  World world(64 * kMebi);
  for (int i = 0; i < 20; ++i) world.hold("config" + std::to_string(i), 8192);
  world.hold("layer");
  EXPECT_EQ(world.choose(kMebi), Names{"layer"});
  for (int i = 20; i < 300; ++i) world.hold("config" + std::to_string(i), 8192);
  world.hold("layer2");
  EXPECT_EQ(world.choose(8192), Names{"config0"}) << "over a 32nd of the mark";
}

TEST(Ledger, TooManyManifestsGoOldestFirst) {
  World world(100 * kMebi);
  ManifestFacts large;
  large.manifest_bytes = Ledger::kMaxManifestBytes / 4;
  for (int i = 0; i < 6; ++i) {
    world.ledger.learn(repo(), digest_of(std::to_string(i)), large);
    world.ledger.asked(repo(), digest_of(std::to_string(i)), true, i == 1, world.now);
  }
  const auto gone = world.ledger.forget_manifests(100);
  ASSERT_EQ(gone.size(), 2u);
  EXPECT_EQ(gone[0].second, digest_of("0"));
  EXPECT_EQ(gone[1].second, digest_of("2")) << "1 is pinned";
  EXPECT_EQ(world.ledger.manifests(), 4u);
}

TEST(Ledger, WantedImagesSurviveARestart) {
  World before(100 * kMebi);
  before.image("old", {"o1"});
  before.now += hours(2);
  before.image("cold", {"c1"});
  before.image("hot", {"h1"});
  before.image("hot", {});
  before.image("hot", {});
  World after(100 * kMebi);
  after.now = before.now;
  after.names = before.names;
  for (const char* blob : {"o1", "h1", "c1"}) after.hold(blob);
  for (const char* name : {"hot", "old", "cold"}) {
    ManifestFacts facts;
    facts.blobs = {digest_of(std::string(1, name[0]) + "1")};
    after.ledger.learn(repo(), digest_of(name), facts);
    after.ledger.tag(repo(), digest_of(name), false);
  }
  before.ledger.for_each_manifest([&](const Digest& key, EvictionPolicy::Place place, WallTime asked_at) {
    after.ledger.recall(key, place, asked_at);
  });
  EXPECT_EQ(after.choose(3 * kMebi), (Names{"o1", "c1", "h1"}));
}

/// Random life: the sums are those of what is there, and nothing that is in use is ever chosen.
TEST(Ledger, TheSumsAreRightAfterAnything) {
  std::mt19937 random(7);
  World world(200 * kMebi);
  const auto any = [&](unsigned bound) { return static_cast<int>(random() % bound); };
  std::vector<std::shared_ptr<Blob>> read;
  std::set<std::shared_ptr<Blob>> alive;
  for (int step = 0; step < 30'000; ++step) {
    const std::string name = "b" + std::to_string(any(300));
    auto blob = world.ledger.find(digest_of(name));
    switch (any(7)) {
      case 0:
        if (blob == nullptr) world.hold(name, static_cast<std::uint64_t>(1 + any(900)) * 4096);
        break;
      case 1:
        if (blob == nullptr) break;
        world.ledger.add_reader(*blob);
        read.push_back(blob);
        break;
      case 2:
        if (read.empty()) break;
        world.ledger.end_reader(*read.back());
        read.pop_back();
        break;
      case 3: {
        const auto chosen = world.ledger.choose(static_cast<std::uint64_t>(any(8)) * kMebi, 50, world.now);
        for (const auto& victim : chosen) {
          ASSERT_EQ(victim->readers, 0u);
          if (any(10) == 0)
            world.ledger.stays(*victim);
          else
            world.ledger.drop(*victim);
        }
        break;
      }
      case 4: {
        const int image = any(60);
        ManifestFacts facts;
        for (int i = 0; i < 5; ++i) facts.blobs.push_back(digest_of("b" + std::to_string((image * 5 + i * 7) % 300)));
        facts.blob_bytes = kMebi;
        world.ledger.learn(repo(), digest_of("i" + std::to_string(image)), facts);
        world.ledger.asked(repo(), digest_of("i" + std::to_string(image)), any(2) == 0, any(50) == 0, world.now);
        world.now += seconds(any(120));
        break;
      }
      case 5: world.ledger.untag(repo(), digest_of("i" + std::to_string(any(60)))); break;
      default:
        if (blob != nullptr && any(20) == 0) world.ledger.drop(*blob);
        break;
    }
    for (int i = 0; step % 500 == 0 && i < 300; ++i)
      if (auto there = world.ledger.find(digest_of("b" + std::to_string(i)))) alive.insert(there);
    if (step % 500 != 0) continue;
    alive.insert(read.begin(), read.end());
    std::uint64_t used = 0;
    for (const auto& one : alive)
      if (one->state != Blob::State::kGone || one->readers > 0) used += one->charged_bytes;
    ASSERT_EQ(world.ledger.used_bytes(), used) << step;
    alive.clear();
  }
  for (const auto& blob : read) world.ledger.end_reader(*blob);
  for (int i = 0; i < 60; ++i) world.ledger.untag(repo(), digest_of("i" + std::to_string(i)));
  const std::uint64_t idle = world.ledger.idle_bytes();
  EXPECT_EQ(idle, world.ledger.used_bytes());
  std::uint64_t gone = 0;
  for (const auto& blob : world.ledger.choose(idle, 100'000, world.now)) {
    gone += blob->charged_bytes;
    world.ledger.drop(*blob);
  }
  EXPECT_EQ(gone, idle) << "all that is idle can go";
  EXPECT_EQ(world.ledger.used_bytes(), 0u);
}

}  // namespace
}  // namespace wherry::node
