#include "common/upstream/challenge.h"

#include <gtest/gtest.h>

namespace wherry {
namespace {

TEST(Challenge, BearerIsReadWithWhatItNames) {
  const auto all = parse_challenges(
      R"(Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull",error="x")");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].scheme, "bearer");
  EXPECT_EQ(all[0].realm, "https://auth.example/token");
  EXPECT_EQ(all[0].service, "registry.example");
  EXPECT_EQ(all[0].scope, "repository:a/b:pull");
}

TEST(Challenge, SeveralInOneFieldAndTokensWithoutQuotes) {
  const auto all = parse_challenges("Negotiate, BASIC realm=x , Bearer realm = \"q\\\"uote\"");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].scheme, "negotiate");
  EXPECT_EQ(all[1].realm, "x");
  EXPECT_EQ(all[2].realm, "q\"uote");
}

TEST(Challenge, ReadingEndsAtWhatIsNone) {
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges("\"Bearer\"").empty());
  EXPECT_TRUE(parse_challenges("Bearer realm=\"open").empty());
  EXPECT_TRUE(parse_challenges("Bearer realm=\"" + std::string(kMaxChallengeBytes, 'x') + "\"").empty());
}

TEST(Challenge, BearerIsFollowedBeforeBasicWhereverItStands) {
  EXPECT_EQ(choose_challenge({"Basic realm=a", "Bearer realm=b"})->scheme, "bearer");
  EXPECT_EQ(choose_challenge({"Digest realm=a", "Basic realm=a"})->scheme, "basic");
  EXPECT_FALSE(choose_challenge({"Digest realm=a", "Bearer service=nowhere"}));
  EXPECT_FALSE(choose_challenge({}));
}

}  // namespace
}  // namespace wherry
