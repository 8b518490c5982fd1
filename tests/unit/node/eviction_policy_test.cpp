#include "node/eviction/eviction_policy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/digest_of.h"

namespace wherry::node {
namespace {

using testing::digest_of;

Digest number_digest(int number) { return digest_of(std::to_string(number)); }

bool any(const Digest&) { return true; }

/// Asks for a thing in a cache of `capacity` bytes; true when it was held.
bool ask(EvictionPolicy& policy, std::uint64_t capacity, const Digest& what, std::uint64_t bytes) {
  if (policy.contains(what)) {
    policy.hit(what);
    return true;
  }
  while (policy.bytes() + bytes > capacity) EXPECT_TRUE(policy.evict(any));
  policy.insert(what, bytes);
  return false;
}

TEST(EvictionPolicy, NothingGoesWhereNothingIs) {
  EvictionPolicy policy;
  EXPECT_FALSE(policy.evict(any));
  policy.remove(digest_of("x"));
  policy.hit(digest_of("x"));
  EXPECT_EQ(policy.size(), 0u);
  EXPECT_EQ(policy.bytes(), 0u);
}

TEST(EvictionPolicy, WhatCameFirstGoesFirst) {
  EvictionPolicy policy;
  for (int i = 0; i < 3; ++i) policy.insert(number_digest(i), 10);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(policy.evict(any), number_digest(i));
  EXPECT_EQ(policy.bytes(), 0u);
}

TEST(EvictionPolicy, WhatIsAskedForAgainOutlivesAScanOfAnyLength) {
  EvictionPolicy policy;
  ask(policy, 100, digest_of("hot"), 10);
  ask(policy, 100, digest_of("hot"), 10);
  for (int i = 0; i < 10'000; ++i) {
    ask(policy, 100, number_digest(i), 10);
    if (i % 50 == 0) {
      EXPECT_TRUE(ask(policy, 100, digest_of("hot"), 10)) << i;
    }
  }
}

TEST(EvictionPolicy, AGhostComesBackToTheMainQueue) {
  EvictionPolicy policy;
  for (int i = 0; i < 10; ++i) policy.insert(number_digest(i), 10);
  ASSERT_EQ(policy.evict(any), number_digest(0));
  policy.insert(number_digest(0), 10);
  for (int i = 10; i < 30; ++i) policy.insert(number_digest(i), 10);
  for (int i = 1; i < 25; ++i) EXPECT_EQ(policy.evict(any), number_digest(i));
  EXPECT_TRUE(policy.contains(number_digest(0)));
}

TEST(EvictionPolicy, WhatMayNotGoStaysAndTheNextGoesInItsPlace) {
  EvictionPolicy policy;
  for (int i = 0; i < 5; ++i) policy.insert(number_digest(i), 10);
  const auto but_two = [](const Digest& which) { return which != number_digest(0) && which != number_digest(1); };
  for (int i = 2; i < 5; ++i) EXPECT_EQ(policy.evict(but_two), number_digest(i));
  EXPECT_FALSE(policy.evict(but_two));
  EXPECT_EQ(policy.size(), 2u);
  EXPECT_EQ(policy.bytes(), 20u);
}

TEST(EvictionPolicy, ThingsWithHitsGoWhenAllOthersMayNot) {
  EvictionPolicy policy;
  for (int i = 0; i < 4; ++i) policy.insert(number_digest(i), 10);
  for (int round = 0; round < 5; ++round)
    for (int i = 0; i < 4; ++i) policy.hit(number_digest(i));
  EXPECT_EQ(policy.evict([](const Digest& which) { return which == number_digest(3); }), number_digest(3));
}

TEST(EvictionPolicy, ManyThatMayNotGoInTheSmallQueueDoNotHideTheMainOne) {
  EvictionPolicy policy;
  policy.restore(digest_of("main"), 10, {true, 0});
  for (int i = 0; i < 100; ++i) policy.insert(number_digest(i), 10);
  EXPECT_EQ(policy.evict([](const Digest& which) { return which == digest_of("main"); }), digest_of("main"));
}

TEST(EvictionPolicy, GhostsAndBytesStayBounded) {
  EvictionPolicy policy;
  for (int i = 0; i < 200'000; ++i) ask(policy, 1'000'000, number_digest(i % 150'000), 10);
  EXPECT_LE(policy.ghosts(), EvictionPolicy::kMaxGhosts);
  EXPECT_LE(policy.bytes(), 1'000'000u);
  EXPECT_EQ(policy.size() * 10, policy.bytes());
}

TEST(EvictionPolicy, RemovalLeavesNoGhost) {
  EvictionPolicy policy;
  policy.insert(number_digest(1), 10);
  policy.remove(number_digest(1));
  EXPECT_FALSE(policy.contains(number_digest(1)));
  EXPECT_EQ(policy.ghosts(), 0u);
  EXPECT_EQ(policy.bytes(), 0u);
}

TEST(EvictionPolicy, OrderAndHitsSurviveARestart) {
  EvictionPolicy before;
  for (int i = 0; i < 30; ++i) before.insert(number_digest(i), 10);
  for (int i = 0; i < 30; i += 3) before.hit(number_digest(i));
  for (int i = 0; i < 5; ++i) before.evict(any);
  EvictionPolicy after;
  before.for_each([&](const Digest& which, EvictionPolicy::Place place) { after.restore(which, 10, place); });
  EXPECT_EQ(after.bytes(), before.bytes());
  while (auto expected = before.evict(any)) EXPECT_EQ(after.evict(any), expected);
  EXPECT_EQ(after.size(), 0u);
}

}  // namespace
}  // namespace wherry::node
