#include "common/base/trace_parent.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wherry {
namespace {

const std::string kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceParent, AGoodOneIsPassedOnAsItCame) {
  const auto read = TraceParent::parse(kGood);
  ASSERT_TRUE(read);
  EXPECT_EQ(read.text(), kGood);
  EXPECT_EQ(read.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(TraceParent, ALaterVersionIsReadAsFarAsItIsKnown) {
  const auto read = TraceParent::parse("cc" + kGood.substr(2) + "-what-the-future-brings");
  ASSERT_TRUE(read);
  EXPECT_EQ(read.text(), kGood);
  EXPECT_TRUE(TraceParent::parse("cc" + kGood.substr(2)));
}

TEST(TraceParent, WhatIsOutsideTheGrammarIsNone) {
  const std::string zeros(32, '0');
  const std::vector<std::string> cases = {
      "",
      "00",
      kGood.substr(0, 54),
      kGood + "-",
      kGood + "0",
      "ff" + kGood.substr(2),
      "0g" + kGood.substr(2),
      "cc" + kGood.substr(2) + "x",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
      "00-" + zeros + "-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-" + zeros.substr(0, 16) + "-01",
      "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e473\r-00f067aa0ba902b7-01",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0 ",
      std::string(4096, 'a'),
  };
  for (const std::string& text : cases) {
    const auto read = TraceParent::parse(text);
    EXPECT_FALSE(read) << text;
    EXPECT_EQ(read.text(), "") << text;
    EXPECT_EQ(read.trace_id(), "") << text;
  }
}

}  // namespace
}  // namespace wherry
