#include "node/fill/sources.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wherry::node {
namespace {

RepositoryName name(const std::string& text) { return RepositoryName::parse(text).value(); }
Error error() { return Error(ErrorKind::kUpstream, "it broke"); }

std::string next_of(Sources& sources) {
  const Sources::Source* const next = sources.next();
  return next == nullptr ? "none" : std::string(next->repository.text());
}

TEST(SourcesTest, OneStaysInUseUntilItBreaksAndThenItIsTheNextOnesTurn) {
  Sources sources(name("a"));
  sources.next()->has_it = true;
  sources.add(name("b"), 5);
  sources.add(name("a"), 5);
  EXPECT_EQ(sources.all().size(), 2u);
  EXPECT_EQ(next_of(sources), "a");
  EXPECT_EQ(next_of(sources), "a");
  sources.broke(*sources.next(), error(), 0);
  EXPECT_EQ(next_of(sources), "b");
  sources.broke(*sources.next(), error(), 0);
  EXPECT_EQ(next_of(sources), "a");
}

TEST(SourcesTest, OneThatIsDroppedOrBringsNothingTooOftenIsNotAskedAgain) {
  Sources sources(name("a"));
  sources.next()->has_it = true;
  sources.add(name("b"), 5);
  sources.drop(*sources.next(), error());
  for (int i = 0; i < Attempts::kMostWithoutProgress; ++i) {
    ASSERT_EQ(next_of(sources), "b");
    sources.broke(*sources.next(), error(), 0);
  }
  EXPECT_EQ(next_of(sources), "none");
  sources.add(name("c"), 5);
  EXPECT_EQ(next_of(sources), "c");
}

TEST(SourcesTest, OneThatBringsSomethingIsAskedAsLongAsItDoes) {
  Sources sources(name("a"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(next_of(sources), "a");
    sources.broke(*sources.next(), error(), Attempts::kLeastProgressBytes);
  }
  EXPECT_TRUE(sources.first().gave);
}

TEST(SourcesTest, NobodyElseIsAskedUntilTheFirstHasIt) {
  Sources sources(name("a"));
  sources.add(name("b"), 5);
  sources.broke(*sources.next(), error(), 0);
  EXPECT_EQ(next_of(sources), "a");
  sources.drop(*sources.next(), error());
  EXPECT_EQ(next_of(sources), "none");
}

TEST(SourcesTest, TheBlobIsOfThoseThatSaidItsSizeAndWereNotDropped) {
  Sources sources(name("a"));
  sources.next()->has_it = true;
  sources.add(name("b"), 5);
  sources.add(name("c"), 6);
  EXPECT_EQ(sources.holders(5), std::vector{name("b")}) << "the first has given nothing and said nothing";
  sources.next()->gave = true;
  EXPECT_EQ(sources.holders(5), (std::vector{name("a"), name("b")}));
  sources.next()->said = 6;
  EXPECT_EQ(sources.holders(5), std::vector{name("b")});
  EXPECT_EQ(sources.holders(6), (std::vector{name("a"), name("c")}));
  sources.drop(*sources.next(), error());
  EXPECT_EQ(sources.holders(6), std::vector{name("c")});
}

TEST(SourcesTest, ThereIsABound) {
  Sources sources(name("a0"));
  const Sources::Source* const first = sources.next();
  for (int i = 0; i < 100; ++i) sources.add(name("a" + std::to_string(i)), 5);
  EXPECT_EQ(sources.all().size(), Sources::kMost);
  EXPECT_EQ(sources.next(), first) << "they stay where they are";
}

}  // namespace
}  // namespace wherry::node
