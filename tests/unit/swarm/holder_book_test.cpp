#include "common/swarm/holder_book.h"

#include <gtest/gtest.h>

#include <set>

namespace wherry::swarm {
namespace {

const Digest kHeldBlob = Digest::of(DigestAlgorithm::kSha256, "a blob");
const Digest kOtherBlob = Digest::of(DigestAlgorithm::kSha256, "another");

bool skip_nobody(const std::string&) { return false; }

class HolderBookTest : public ::testing::Test {
 protected:
  bool add_one(std::size_t blob, const std::string& node) {
    return book_.add(Digest::of(DigestAlgorithm::kSha256, std::to_string(blob)), "", node);
  }

  HolderBook book_;
};

TEST_F(HolderBookTest, ThoseOfTheSiteAreNamedAndNoOthers) {
  book_.add(kHeldBlob, "paris", "paris-1");
  book_.add(kHeldBlob, "tokyo", "tokyo-1");
  book_.add(kOtherBlob, "paris", "paris-2");
  EXPECT_EQ(book_.some(kHeldBlob, "paris", 4, skip_nobody), std::vector<std::string>{"paris-1"});
  EXPECT_TRUE(book_.some(kHeldBlob, "lyon", 4, skip_nobody).empty());
  EXPECT_TRUE(book_.some(kOtherBlob, "tokyo", 4, skip_nobody).empty());
}

TEST_F(HolderBookTest, WhoIsSkippedIsNotNamed) {
  book_.add(kHeldBlob, "paris", "paris-1");
  book_.add(kHeldBlob, "paris", "paris-2");
  const auto skip = [](const std::string& node) { return node == "paris-1"; };
  EXPECT_EQ(book_.some(kHeldBlob, "paris", 4, skip), std::vector<std::string>{"paris-2"});
}

TEST_F(HolderBookTest, OthersAreNamedEachTime) {
  for (int node = 0; node < 8; ++node) book_.add(kHeldBlob, "", std::to_string(node));
  std::set<std::string> named;
  for (int time = 0; time < 8; ++time)
    for (const std::string& node : book_.some(kHeldBlob, "", 1, skip_nobody)) named.insert(node);
  EXPECT_EQ(named.size(), 8U);
}

TEST_F(HolderBookTest, ABlobHasSoManyHoldersOfASiteAndEachOnce) {
  for (std::size_t node = 0; node < 2 * HolderBook::kMostOfASite; ++node)
    book_.add(kHeldBlob, "", std::to_string(node));
  book_.add(kHeldBlob, "", "0");
  EXPECT_EQ(book_.size(), HolderBook::kMostOfASite);
  EXPECT_EQ(book_.some(kHeldBlob, "", 1000, skip_nobody).size(), HolderBook::kMostOfASite);
}

TEST_F(HolderBookTest, WhatIsRemovedIsNotNamedAndMakesRoom) {
  book_.add(kHeldBlob, "", "one");
  book_.remove(kHeldBlob, "", "another");
  book_.remove(kHeldBlob, "paris", "one");
  book_.remove(kOtherBlob, "", "one");
  EXPECT_EQ(book_.size(), 1U);
  book_.remove(kHeldBlob, "", "one");
  EXPECT_EQ(book_.size(), 0U);
  EXPECT_TRUE(book_.some(kHeldBlob, "", 4, skip_nobody).empty());
}

TEST_F(HolderBookTest, NoMoreThanSoManyAreKept) {
  for (std::size_t blob = 0; blob < HolderBook::kMost + 10; ++blob)
    EXPECT_EQ(add_one(blob, std::to_string(blob % 100)), blob < HolderBook::kMost);
  EXPECT_EQ(book_.size(), HolderBook::kMost);
  book_.clear();
  EXPECT_EQ(book_.size(), 0U);
  EXPECT_TRUE(add_one(0, "one"));
}

TEST_F(HolderBookTest, ANodeIsBelievedSoMuchAndNoMore) {
  for (std::size_t blob = 0; blob < HolderBook::kMostOfANode + 10; ++blob) add_one(blob, "boaster");
  EXPECT_EQ(book_.size(), HolderBook::kMostOfANode);
  add_one(0, "another");
  EXPECT_EQ(book_.size(), HolderBook::kMostOfANode + 1);
}

}  // namespace
}  // namespace wherry::swarm
