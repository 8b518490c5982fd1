#include "node/eviction/just_asked.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace wherry::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(JustAskedTest, TheLedgerIsToldOnceInAWhileAndOfEachRepositoryAndWay) {
  const auto asked = std::make_unique<JustAsked>();
  const auto digest = [](const std::string& of) { return Digest::of(DigestAlgorithm::kSha256, of); };
  const RepositoryName one = RepositoryName::parse("a/one").value();
  const RepositoryName other = RepositoryName::parse("a/other").value();
  Monotonic now{};
  EXPECT_FALSE(asked->told(one, digest("x"), false, 0, now, seconds(1)));
  EXPECT_TRUE(asked->told(one, digest("x"), false, 0, now, seconds(1)));
  EXPECT_FALSE(asked->told(one, digest("y"), false, 0, now, seconds(1)));
  EXPECT_FALSE(asked->told(other, digest("x"), false, 0, now, seconds(1)));
  EXPECT_FALSE(asked->told(one, digest("x"), true, 0, now, seconds(1)));
  EXPECT_TRUE(asked->told(one, digest("x"), true, 0, now + milliseconds(999), seconds(1)));
  EXPECT_FALSE(asked->told(one, digest("x"), true, 0, now + seconds(1), seconds(1)));
  EXPECT_FALSE(asked->told(one, digest("x"), true, 1, now + seconds(1), seconds(1))) << "all is told again";
}

}  // namespace
}  // namespace wherry::node
