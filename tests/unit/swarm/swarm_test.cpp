#include "common/swarm/swarm.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace wherry::swarm {
namespace {

SharedTorrent torrent_of(std::uint64_t bytes) {
  std::vector<Sha256> roots(pieces_for(bytes));
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "blob");
  return std::make_shared<const Torrent>(Torrent::make(blob, bytes, std::move(roots)).value());
}

Swarm::Member some_member() { return {"node", "", RepositoryName::parse("team/app").value()}; }

/// Pieces of each lease that one asks for, one after the other.
std::vector<std::uint32_t> leases(Swarm& swarm, Swarm::Member& member, std::size_t count, Monotonic now) {
  std::vector<std::uint32_t> sizes;
  for (std::size_t i = 0; i < count; ++i) {
    sizes.push_back(swarm.most_for(member, now));
    member.given += sizes.back();
  }
  return sizes;
}

TEST(Swarm, WhoNamesASiteTooManyIsOfNoneAndThereIsOne) {
  Swarm swarm(torrent_of(kLeastBytes), 1);
  for (std::size_t i = 0; i < Swarm::kMostSites; ++i)
    EXPECT_EQ(swarm.site_for("site-" + std::to_string(i)), "site-" + std::to_string(i));
  for (const char* const more : {"one-more", "another"}) {
    EXPECT_EQ(swarm.site_for(more), "");
    EXPECT_EQ(swarm.sites.at("").board.given(), 0U);
  }
  EXPECT_EQ(swarm.site_for("site-7"), "site-7");
  EXPECT_EQ(swarm.sites.size(), Swarm::kMostSites + 1);
}

TEST(Swarm, LeasesOfWhoIsAloneBeginWithOnePieceAndGrow) {
  Swarm swarm(torrent_of(std::uint64_t{64} << 20), 1);
  Swarm::Member alone = some_member();
  const Monotonic now{std::chrono::hours(1)};
  EXPECT_EQ(leases(swarm, alone, 12, now), (std::vector<std::uint32_t>{1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3}));
  const std::uint32_t most = Swarm::kMostLeaseBytes / swarm.torrent->piece_bytes();
  EXPECT_EQ(leases(swarm, alone, 12, now).back(), most);
  EXPECT_EQ(leases(swarm, alone, 2, now), (std::vector<std::uint32_t>{most, most}));
}

TEST(Swarm, LeasesAreSmallerTheMoreAskThoughAllWereGivenMuch) {
  Swarm swarm(torrent_of(std::uint64_t{64} << 20), 1);
  std::vector<Swarm::Member> members(4, some_member());
  const Monotonic now{std::chrono::hours(1)};
  std::vector<std::uint32_t> sizes;
  for (Swarm::Member& each : members) {
    each.given = 1000;
    sizes.push_back(swarm.most_for(each, now));
  }
  EXPECT_EQ(sizes, (std::vector<std::uint32_t>{16, 4, 1, 1}));
  EXPECT_EQ(swarm.most_for(members.front(), now), 1U);
}

}  // namespace
}  // namespace wherry::swarm
