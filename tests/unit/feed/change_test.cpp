#include "common/feed/change.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wherry::feed {
namespace {

std::vector<Change> one_of_each() {
  const Digest small = Digest::of(DigestAlgorithm::kSha256, "x");
  const Digest large = Digest::of(DigestAlgorithm::kSha512, "x");
  const WallTime time = from_millis(1790000000123);
  std::vector<Change> changes{
      Change::repository_created("team/app", time),       Change::repository_removed("team/app", time),
      Change::manifest_put("team/app", small, time),      Change::manifest_deleted("team/app", large, time),
      Change::tag_set("team/app", "latest", small, time), Change::tag_removed("team/app", "latest", time),
      Change::blob_added("team/app", large, time),        Change::key_announced(std::string(104, 'k'), time),
      Change::policy_set("fill-ahead", "{}", time),       Change::policy_removed("fill-ahead", time),
  };
  std::uint64_t position = 0;
  for (Change& change : changes) change.place(++position, 3, Change::Salt{std::byte{7}});
  return changes;
}

TEST(Change, EveryKindIsReadBackAsItWasWritten) {
  for (const Change& change : one_of_each()) {
    const auto read = Change::decode(change.encode());
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(*read, change);
  }
}

TEST(Change, WhateverIsCutOffOrAddedIsRefused) {
  for (const Change& change : one_of_each()) {
    const std::string encoded = change.encode();
    for (std::size_t size = 0; size < encoded.size(); ++size)
      EXPECT_FALSE(Change::decode(std::string_view(encoded).substr(0, size))) << size;
    EXPECT_FALSE(Change::decode(encoded + '\0'));
  }
}

TEST(Change, NoTwoEncodingsMeanTheSame) {
  for (const Change& change : one_of_each()) {
    const std::string encoded = change.encode();
    for (std::size_t i = 0; i < encoded.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        std::string other = encoded;
        other[i] = static_cast<char>(other[i] ^ (1 << bit));
        const auto read = Change::decode(other);
        if (read) {
          EXPECT_EQ(read->encode(), other);
        }
      }
  }
}

TEST(Change, PartsThatTheKindDoesNotHaveAreRefused) {
  std::string encoded = one_of_each()[4].encode();  // a tag and a digest
  for (char kind = 0; kind < 20; ++kind) {
    encoded[1] = kind;
    EXPECT_EQ(Change::decode(encoded).has_value(), kind == static_cast<char>(ChangeKind::kTagSet)) << int{kind};
  }
}

TEST(Change, AChangeWithoutAPlaceIsRefused) {
  EXPECT_FALSE(Change::decode(Change::repository_created("r", from_millis(0)).encode()));
}

TEST(Change, TheProjectIsTheFirstPartOfTheRepositorysName) {
  EXPECT_EQ(Change::repository_created("team/app/web", from_millis(0)).project(), "team");
  EXPECT_EQ(Change::repository_created("alpine", from_millis(0)).project(), "alpine");
  EXPECT_EQ(Change::policy_removed("p", from_millis(0)).project(), "");
}

}  // namespace
}  // namespace wherry::feed
