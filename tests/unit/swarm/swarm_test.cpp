#include "common/swarm/swarm.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace wherry::swarm {
namespace {

SharedTorrent smallest_torrent() {
  std::vector<Sha256> roots(pieces_for(kLeastBytes));
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "blob");
  return std::make_shared<const Torrent>(Torrent::make(blob, kLeastBytes, std::move(roots)).value());
}

TEST(Swarm, WhoNamesASiteTooManyIsOfNoneAndThereIsOne) {
  Swarm swarm(smallest_torrent(), 1);
  for (std::size_t i = 0; i < Swarm::kMostSites; ++i)
    EXPECT_EQ(swarm.site_for("site-" + std::to_string(i)), "site-" + std::to_string(i));
  for (const char* const more : {"one-more", "another"}) {
    EXPECT_EQ(swarm.site_for(more), "");
    EXPECT_EQ(swarm.sites.at("").board.given(), 0U);
  }
  EXPECT_EQ(swarm.site_for("site-7"), "site-7");
  EXPECT_EQ(swarm.sites.size(), Swarm::kMostSites + 1);
}

}  // namespace
}  // namespace wherry::swarm
