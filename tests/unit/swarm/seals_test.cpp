#include "common/swarm/seals.h"

#include <gtest/gtest.h>

#include <set>

namespace wherry::swarm {
namespace {

TEST(Seals, EachWordCountsAndEachProcessHasItsOwn) {
  const Digest one = Digest::of(DigestAlgorithm::kSha256, "one");
  const Digest other = Digest::of(DigestAlgorithm::kSha256, "other");
  const Seals seals;
  const auto swarm = Seals::TicketTo::kSwarm;
  const std::set<std::string> all = {
      seals.ticket(swarm, one, "team/app", "paris", 1),
      seals.ticket(swarm, other, "team/app", "paris", 1),
      seals.ticket(swarm, one, "team/ap", "pparis", 1),
      seals.ticket(swarm, one, "team/app", "lyon", 1),
      seals.ticket(swarm, one, "team/app", "paris", 2),
      seals.ticket(Seals::TicketTo::kVoucher, one, "team/app", "paris", 1),
      seals.member("swarm", "paris"),
      seals.member("swarmp", "aris"),
      Seals().ticket(swarm, one, "team/app", "paris", 1),
      Seals().member("swarm", "paris"),
  };
  EXPECT_EQ(all.size(), 10U);
  EXPECT_EQ(seals.ticket(swarm, one, "team/app", "paris", 1), seals.ticket(swarm, one, "team/app", "paris", 1));
}

}  // namespace
}  // namespace wherry::swarm
