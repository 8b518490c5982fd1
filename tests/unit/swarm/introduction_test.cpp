#include "common/swarm/introduction.h"

#include <gtest/gtest.h>

namespace wherry::swarm {
namespace {

Introduction some_introduction(const Digest& blob) {
  auto torrent = Torrent::make(blob, kLeastBytes, std::vector<Sha256>(2));
  return {.torrent = std::move(*torrent),
          .name = "0123",
          .repository = "team/app",
          .authority_pem = "authority",
          .certificate_pem = "certificate",
          .member = "member",
          .peers = {"127.0.0.1:1"}};
}

TEST(Introduction, IsReadAsItWasWritten) {
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "x");
  const auto read = Introduction::decode(blob, some_introduction(blob).encode());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->repository, "team/app");
  EXPECT_EQ(read->name, "0123");
  EXPECT_EQ(read->peers, std::vector<std::string>{"127.0.0.1:1"});
  EXPECT_EQ(read->torrent.pieces(), 2U);
  EXPECT_EQ(read->torrent.voucher(), "");
}

TEST(Introduction, BringsTheMastersWord) {
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "x");
  auto introduction = some_introduction(blob);
  introduction.torrent = introduction.torrent.vouched_by("word");
  const auto read = Introduction::decode(blob, introduction.encode());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->torrent.voucher(), "word");
  introduction.torrent = introduction.torrent.vouched_by(std::string(Torrent::kMostVoucherBytes + 1, 'w'));
  EXPECT_FALSE(Introduction::decode(blob, introduction.encode()));
}

TEST(Introduction, NeedNotNameARepositoryButThatMustBeOne) {
  const Digest blob = Digest::of(DigestAlgorithm::kSha256, "x");
  auto introduction = some_introduction(blob);
  introduction.repository.clear();
  EXPECT_TRUE(Introduction::decode(blob, introduction.encode()));
  introduction.repository = "Not/One";
  EXPECT_FALSE(Introduction::decode(blob, introduction.encode()));
}

}  // namespace
}  // namespace wherry::swarm
