#include "node/eviction/pin_patterns.h"

#include <gtest/gtest.h>

#include "tests/unit/support/error_kind.h"

namespace wherry::node {
namespace {

using testing::kind_of;

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
