#include "common/feed/set_digest.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/feed/fill_ahead_policy.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::feed {
namespace {

TEST(SetDigest, OrderDoesNotMatterAndWhatIsRemovedLeavesNoTrace) {
  SetDigest one;
  one.add("a");
  one.add("b");
  one.add("c");
  SetDigest other;
  other.add("c");
  other.add("x");
  other.add("a");
  other.add("b");
  EXPECT_NE(one.digest(), other.digest());
  other.remove("x");
  EXPECT_EQ(one.digest(), other.digest());
  EXPECT_EQ(SetDigest::load(one.save()).value(), one);
  EXPECT_EQ(testing::kind_of(SetDigest::load("short")), ErrorKind::kCorrupt);
}

TEST(SetDigest, IsTheSameOnEveryMachine) {
  SetDigest digest;
  digest.add("t team/app 1.0");
  EXPECT_EQ(to_hex(digest.digest()), "KNOWN");
}

TEST(FillAheadPolicy, FitsByPatternsAndRefusesWhatItDoesNotKnow) {
  const auto policy =
      FillAheadPolicy::parse(R"({"repositories": ["team/**"], "tags": ["v*"], "nodes": ["paris", "ro*"]})").value();
  EXPECT_TRUE(policy.fits("team/a/b", "v1", "rome"));
  EXPECT_FALSE(policy.fits("other/a", "v1", "rome"));
  EXPECT_FALSE(policy.fits("team/a", "latest", "rome"));
  EXPECT_FALSE(policy.fits("team/a", "v1", "berlin"));
  EXPECT_FALSE(policy.fits("team/a", "v1", ""));
  EXPECT_TRUE(FillAheadPolicy::parse("{}").value().fits("any/thing", "t", ""));
  for (const auto* json : {"", "[]", "7", R"({"repositories": "a"})", R"({"tags": [1]})", R"({"typo": []})",
                           R"({"tags": [""]})", R"({"platforms": ["nonsense"]})"})
    EXPECT_EQ(testing::kind_of(FillAheadPolicy::parse(json)), ErrorKind::kInvalid) << json;
}

}  // namespace
}  // namespace wherry::feed
