#include "common/kv/row_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace wherry::kv {
namespace {

Row row(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

TEST(RowCacheTest, ARowIsGivenAsLongAsItsTableHasTheVersionThatItHadBefore) {
  RowCache cache;
  EXPECT_EQ(cache.find("a1", 0), nullptr);
  cache.keep("a1", row("one"), 0);
  ASSERT_NE(cache.find("a1", 0), nullptr);
  EXPECT_EQ(*cache.find("a1", 0), "one");
  EXPECT_EQ(cache.find("a1", 1), nullptr);
  cache.keep("a1", row("two"), 1);
  EXPECT_EQ(*cache.find("a1", 1), "two");
}

TEST(RowCacheTest, WhatIsReadAgainAndAgainStaysInAScanAndMemoryHasABound) {
  RowCache cache;
  const Row watched = row("hot");
  cache.keep("hot", watched, 0);
  std::vector<std::weak_ptr<const std::string>> scanned;
  for (int i = 0; i < 10'000; ++i) {
    Row one = row(std::string(1000, 'x'));
    scanned.push_back(one);
    cache.keep("scan" + std::to_string(i), std::move(one), 0);
    if (i % 100 == 0) {
      ASSERT_EQ(cache.find("hot", 0), watched);
    }
  }
  const auto living = std::count_if(scanned.begin(), scanned.end(), [](const auto& each) { return !each.expired(); });
  EXPECT_GT(living, 0);
  EXPECT_LE(static_cast<std::size_t>(living) * 1000, 2 * RowCache::kGenerationBytes);
}

TEST(RowCacheTest, ALargeRowIsNotKept) {
  RowCache cache;
  cache.keep("large", row(std::string(RowCache::kMaxRowBytes, 'x')), 0);
  EXPECT_EQ(cache.find("large", 0), nullptr);
}

TEST(RowCacheTest, OnlyTablesThatWereWrittenToHaveAnotherVersion) {
  TableVersions versions;
  const std::uint64_t before = versions.of("a1");
  Tables tables;
  tables.set(table_of("bx"));
  versions.wrote(tables);
  EXPECT_EQ(versions.of("a1"), before);
  EXPECT_NE(versions.of("b1"), before);
}

}  // namespace
}  // namespace wherry::kv
