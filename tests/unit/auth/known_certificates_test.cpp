#include "common/auth/known_certificates.h"

#include <gtest/gtest.h>

#include "common/auth/node_authority.h"
#include "common/base/base64.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::auth {
namespace {

using wherry::testing::kind_of;

class KnownCertificatesTest : public ::testing::Test {
 protected:
  NodeCertificate issued(const NodeKey& key, const NodeAuthority& by) {
    return by.certify(key.certificate_request("whatever"), "paris", {}, now_).value();
  }

  wherry::testing::TempDir dir_;
  NodeAuthority authority_ = NodeAuthority::load_or_make(dir_ / "ca.pem").value();
  NodeAuthority other_ = NodeAuthority::load_or_make(dir_ / "other.pem").value();
  WallTime now_ = Clock::system().wall();
  NodeKey key_ = NodeKey::make();
  std::string shown_ = to_base64(issued(key_, authority_).der());
  KnownCertificates known_;
};

TEST_F(KnownCertificatesTest, OneThatIsKnownIsTheSame) {
  auto* const first = known_.find(shown_, authority_.certificate(), now_).value();
  EXPECT_EQ(first->certificate().name(), "paris");
  EXPECT_EQ(known_.find(shown_, authority_.certificate(), now_).value(), first);
  EXPECT_EQ(known_.size(), 1U);
}

TEST_F(KnownCertificatesTest, OneThatIsKnownExpiresAllTheSame) {
  ASSERT_TRUE(known_.find(shown_, authority_.certificate(), now_));
  EXPECT_EQ(kind_of(known_.find(shown_, authority_.certificate(), now_ + std::chrono::days(400))),
            ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(known_.find(shown_, authority_.certificate(), now_ - std::chrono::days(400))),
            ErrorKind::kUnauthorized);
  EXPECT_TRUE(known_.find(shown_, authority_.certificate(), now_));
}

TEST_F(KnownCertificatesTest, WhatOneAuthorityIssuedIsNotKnownForAnother) {
  ASSERT_TRUE(known_.find(shown_, authority_.certificate(), now_));
  EXPECT_EQ(kind_of(known_.find(shown_, other_.certificate(), now_)), ErrorKind::kUnauthorized);
  EXPECT_TRUE(known_.find(shown_, authority_.certificate(), now_));
}

TEST_F(KnownCertificatesTest, WhatNobodyIssuedGetsNotIn) {
  const std::string strange = to_base64(issued(key_, other_).der());
  for (const std::string& text : {strange, std::string(), std::string("nonsense"), std::string("****")})
    EXPECT_EQ(kind_of(known_.find(text, authority_.certificate(), now_)), ErrorKind::kUnauthorized);
  EXPECT_EQ(known_.size(), 0U);
}

TEST_F(KnownCertificatesTest, ASignatureHoldsForItsWordsAloneAlsoRightAfterThem) {
  KnownCertificates::Known& known = *known_.find(shown_, authority_.certificate(), now_).value();
  const std::string signature = to_base64(key_.sign("these words"));
  EXPECT_TRUE(known.has_signed("these words", signature));
  EXPECT_TRUE(known.has_signed("these words", signature));
  EXPECT_FALSE(known.has_signed("other words", signature));
  EXPECT_FALSE(known.has_signed("these words", to_base64(key_.sign("other words"))));
  EXPECT_FALSE(known.has_signed("these words", ""));
  EXPECT_FALSE(known.has_signed("these words", "*"));
  EXPECT_TRUE(known.has_signed(std::string(5000, 'a'), to_base64(key_.sign(std::string(5000, 'a')))));
  EXPECT_FALSE(known.has_signed(std::string(5000, 'b'), to_base64(key_.sign(std::string(5000, 'a')))));
}

TEST_F(KnownCertificatesTest, ThereIsRoomForSoMany) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < KnownCertificates::kMost + 10; ++i) {
    shown.push_back(to_base64(issued(key_, authority_).der()));
    ASSERT_TRUE(known_.find(shown.back(), authority_.certificate(), now_));
  }
  EXPECT_EQ(known_.size(), KnownCertificates::kMost);
  for (const std::string& each : shown) EXPECT_TRUE(known_.find(each, authority_.certificate(), now_));
  EXPECT_EQ(known_.size(), KnownCertificates::kMost);
}

}  // namespace
}  // namespace wherry::auth
