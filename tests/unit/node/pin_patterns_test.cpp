#include "node/eviction/pin_patterns.h"

#include <gtest/gtest.h>

#include "tests/unit/support/error_kind.h"

namespace wherry::node {
namespace {

using testing::kind_of;

TEST(PinPatterns, GlobsMatchWholeTexts) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  for (const Case& one : {Case{"a/b", "a/b", true},
                          {"a/b", "a/bc", false},
                          {"a/*", "a/b/c", true},
                          {"a/*", "a", false},
                          {"*", "", true},
                          {"", "", true},
                          {"", "a", false},
                          {"*b*", "abc", true},
                          {"a?c", "abc", true},
                          {"a?c", "ac", false},
                          {"*a*a*", "xaxa", true},
                          {"*a*a*", "xax", false},
                          {"**", "x", true},
                          {"a*bc", "abbbc", true},
                          {"a*bc", "abcb", false}})
    EXPECT_EQ(matches_glob(one.pattern, one.text), one.matches) << one.pattern << " " << one.text;
}

TEST(PinPatterns, ManyStarsTakeNoExponentialTime) {
  EXPECT_FALSE(matches_glob(std::string(100, '*') + "b", std::string(255, 'a')));
  std::string stars;
  for (int i = 0; i < 50; ++i) stars += "*a";
  EXPECT_FALSE(matches_glob(stars + "b", std::string(255, 'a')));
}

TEST(PinPatterns, ARepositoryAndATag) {
  const auto pins = PinPatterns::parse({"base/*", "team/app:v?"}).value();
  EXPECT_TRUE(pins.match_repository("base/os"));
  EXPECT_TRUE(pins.match_tag("base/os", "any"));
  EXPECT_FALSE(pins.match_repository("team/app"));
  EXPECT_TRUE(pins.match_tag("team/app", "v1"));
  EXPECT_FALSE(pins.match_tag("team/app", "v10"));
  EXPECT_FALSE(pins.match_tag("other", "v1"));
}

TEST(PinPatterns, WhatCanMatchNoNameIsRefused) {
  for (const char* wrong : {"", ":v1", "team/app:", "team app", "a/b:v 1", "a@sha256:1", "a/b:c:d"})
    EXPECT_EQ(kind_of(PinPatterns::parse({wrong})), ErrorKind::kInvalid) << wrong;
  EXPECT_EQ(kind_of(PinPatterns::parse(std::vector<std::string>(PinPatterns::kMaxPatterns + 1, "a"))),
            ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry::node
