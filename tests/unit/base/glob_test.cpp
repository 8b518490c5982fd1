#include "common/base/glob.h"

#include <gtest/gtest.h>

namespace wherry {
namespace {

TEST(Glob, StarsStandForAnythingAndQuestionMarksForOne) {
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("library/*", "library/alpine"));
  EXPECT_TRUE(glob_matches("docker.io/*:latest", "docker.io/library/alpine:latest"));
  EXPECT_TRUE(glob_matches("a?c", "abc"));
  EXPECT_TRUE(glob_matches("*b*b", "abcbb"));
  EXPECT_TRUE(glob_matches("a/*", "a/b/c"));
  EXPECT_TRUE(glob_matches("*b*", "abc"));
  EXPECT_TRUE(glob_matches("*a*a*", "xaxa"));
  EXPECT_TRUE(glob_matches("**", "x"));
  EXPECT_TRUE(glob_matches("a*bc", "abbbc"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches("a/b", "a/bc"));
  EXPECT_FALSE(glob_matches("a/*", "a"));
  EXPECT_FALSE(glob_matches("*a*a*", "xax"));
  EXPECT_FALSE(glob_matches("a*bc", "abcb"));
  EXPECT_FALSE(glob_matches("a?c", "ac"));
  EXPECT_FALSE(glob_matches("library/*", "librarY/alpine"));
  EXPECT_FALSE(glob_matches("*:latest", "a:latest2"));
  EXPECT_FALSE(glob_matches("a.c", "abc"));
}

TEST(Glob, ManyStarsEndSoon) {
  EXPECT_FALSE(glob_matches(std::string(200, '*') + "b", std::string(2000, 'a')));
  std::string stars;
  for (int i = 0; i < 50; ++i) stars += "*a";
  EXPECT_FALSE(glob_matches(stars + "b", std::string(255, 'a')));
}

TEST(Glob, OneOfManyIsEnough) {
  const std::vector<std::string> patterns = {"x", "team/*"};
  EXPECT_TRUE(any_glob_matches(patterns, "team/app"));
  EXPECT_FALSE(any_glob_matches(patterns, "teams/app"));
  EXPECT_FALSE(any_glob_matches({}, "team/app"));
}

TEST(PathGlob, AStarStaysWithinAPartAndTwoDoNot) {
  struct Case {
    const char* pattern;
    const char* text;
    bool fits;
  };
  for (const auto& [pattern, text, fits] : {Case{"**", "", true},
                                            {"**", "a/b/c", true},
                                            {"*", "a", true},
                                            {"*", "a/b", false},
                                            {"team/*", "team/app", true},
                                            {"team/*", "team/app/web", false},
                                            {"team/**", "team/app/web", true},
                                            {"team/**", "team", false},
                                            {"team/**", "teams/app", false},
                                            {"**/web", "team/app/web", true},
                                            {"**/web", "web", false},
                                            {"a/*/c", "a/b/c", true},
                                            {"a/*/c", "a/b/b/c", false},
                                            {"a/**/c", "a/b/b/c", true},
                                            {"**/*-x/*", "a/b-x/b-y/q-x/z", true},
                                            {"**a*b", "xa/ab", true},
                                            {"**a*b", "xa/a/b", false},
                                            {"v?.*", "v1.2", true},
                                            {"v?", "v/", false},
                                            {"*1*2*3", "0123", true},
                                            {"*1*2*3", "0132", false}})
    EXPECT_EQ(path_glob_matches(pattern, text), fits) << pattern << " " << text;
}

}  // namespace
}  // namespace wherry
