#include "common/swarm/seals.h"

#include <gtest/gtest.h>

#include <set>

namespace wherry::swarm {
namespace {

TEST(Seals, EachWordCountsAndEachProcessHasItsOwn) {
  const Digest one = Digest::of(DigestAlgorithm::kSha256, "one");
  const Digest other = Digest::of(DigestAlgorithm::kSha256, "other");
  const Seals seals;
  const std::set<std::string> all = {
      seals.ticket(one, "team/app", "paris", 1),
      seals.ticket(other, "team/app", "paris", 1),
      seals.ticket(one, "team/ap", "pparis", 1),
      seals.ticket(one, "team/app", "lyon", 1),
      seals.ticket(one, "team/app", "paris", 2),
      seals.member("swarm", "paris"),
      seals.member("swarmp", "aris"),
      Seals().ticket(one, "team/app", "paris", 1),
      Seals().member("swarm", "paris"),
  };
  EXPECT_EQ(all.size(), 9U);
  EXPECT_EQ(seals.ticket(one, "team/app", "paris", 1), seals.ticket(one, "team/app", "paris", 1));
}

}  // namespace
}  // namespace wherry::swarm
