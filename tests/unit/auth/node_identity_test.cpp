#include "common/auth/node_identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "common/auth/node_authority.h"
#include "common/auth/signed_request.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::auth {
namespace {

using wherry::testing::kind_of;

class NodeIdentityTest : public ::testing::Test {
 protected:
  NodeIdentityTest() : authority(NodeAuthority::load_or_make(dir / "ca.pem").value()) {}

  NodeIdentity identity_of(const std::string& name, const std::vector<std::string>& projects = {}) {
    NodeKey key = NodeKey::make();
    auto certificate = authority.certify(key.certificate_request("whatever"), name, projects, now).value();
    return {std::move(key), std::move(certificate), authority.certificate()};
  }
  Result<NodeCertificate> check(const std::string& header, const RequestWords& words, WallTime at) {
    return check_request(header, words, authority.certificate(), at);
  }

  wherry::testing::TempDir dir;
  NodeAuthority authority;
  WallTime now = Clock::system().wall();
};

TEST_F(NodeIdentityTest, ACertificateHasTheNameAndProjectsThatTheAuthorityGives) {
  const NodeIdentity identity = identity_of("paris", {"team", "ba*"});
  EXPECT_EQ(identity.name(), "paris");
  EXPECT_EQ(identity.certificate().projects(), (std::vector<std::string>{"team", "ba*"}));
  EXPECT_TRUE(identity.certificate().check(authority.certificate(), now));
  EXPECT_NE(identity.certificate().serial(), identity_of("paris").certificate().serial());
  EXPECT_EQ(kind_of(identity.certificate().check(authority.certificate(), now + std::chrono::days(400))),
            ErrorKind::kUnauthorized);
}

TEST_F(NodeIdentityTest, TheSameAuthorityIsThereAfterARestartAndAnotherIsNotIt) {
  const NodeIdentity identity = identity_of("paris");
  const auto again = NodeAuthority::load_or_make(dir / "ca.pem").value();
  EXPECT_TRUE(identity.certificate().check(again.certificate(), now));
  const auto other = NodeAuthority::load_or_make(dir / "other.pem").value();
  EXPECT_EQ(kind_of(identity.certificate().check(other.certificate(), now)), ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(authority.certificate().check(authority.certificate(), now)), ErrorKind::kUnauthorized);
}

TEST_F(NodeIdentityTest, AnIdentityIsReadBackAsItWasSavedAndNobodyElseCanReadIt) {
  const std::string path = dir / "identity.pem";
  EXPECT_FALSE(NodeIdentity::load(path).value());
  const NodeIdentity identity = identity_of("paris");
  ASSERT_TRUE(identity.save(path));
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  const auto loaded = NodeIdentity::load(path).value();
  ASSERT_TRUE(loaded);
  const RequestWords words{"GET", "/wherry/v1/feed?from=1", ""};
  EXPECT_EQ(check(sign_request(*loaded, words, now), words, now).value().name(), "paris");
}

TEST_F(NodeIdentityTest, ASignatureHoldsForItsRequestAndItsTimeAlone) {
  const NodeIdentity identity = identity_of("paris");
  const RequestWords words{"POST", "/wherry/v1/nodes/report", "{}"};
  const std::string header = sign_request(identity, words, now);
  EXPECT_TRUE(check(header, words, now));
  EXPECT_TRUE(check(header, words, now + std::chrono::minutes(4)));
  for (const RequestWords& other :
       {RequestWords{"GET", words.target, words.body}, RequestWords{words.method, "/wherry/v1/feed", words.body},
        RequestWords{words.method, words.target, "{ }"}})
    EXPECT_EQ(kind_of(check(header, other, now)), ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(check(header, words, now + std::chrono::minutes(6))), ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(check(header, words, now - std::chrono::minutes(6))), ErrorKind::kUnauthorized);
  for (std::size_t i = 0; i < header.size(); ++i) {
    std::string damaged = header;
    damaged[i] = static_cast<char>(damaged[i] ^ 2);
    const auto checked = check(damaged, words, now);
    if (checked) {  // in what nobody reads
      EXPECT_EQ(checked->der(), identity.certificate().der()) << i;
    }
  }
  EXPECT_EQ(kind_of(check("Basic dTpw", words, now)), ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(check("Wherry-Node ", words, now)), ErrorKind::kUnauthorized);
}

TEST_F(NodeIdentityTest, ASignatureHoldsForTheClientThatItNamesAlone) {
  const NodeIdentity identity = identity_of("paris");
  const RequestWords words{"POST", "/wherry/v1/token", "grant_type=password", "192.0.2.7"};
  const std::string header = sign_request(identity, words, now);
  EXPECT_TRUE(check(header, words, now));
  for (const auto* other : {"", "192.0.2.8", "192.0.2.71", "192.0.2.7 "})
    EXPECT_EQ(kind_of(check(header, {words.method, words.target, words.body, other}, now)), ErrorKind::kUnauthorized);
  const std::string of_nobody = sign_request(identity, {words.method, words.target, words.body}, now);
  EXPECT_EQ(kind_of(check(of_nobody, words, now)), ErrorKind::kUnauthorized);
}

TEST(ClientAddress, IsOneAsThisSoftwareWritesIt) {
  for (const auto* text : {"192.0.2.7", "[2001:db8::7]", "[::ffff:192.0.2.7]"})
    EXPECT_TRUE(is_client_address(text)) << text;
  for (const auto* text :
       {"", "localhost", "192.0.2.7:80", "192.0.2.07", "2001:db8::7", "[2001:DB8::7]", "[::1", "a b"})
    EXPECT_FALSE(is_client_address(text)) << text;
}

TEST_F(NodeIdentityTest, WhatIsNoRequestForACertificateIsRefused) {
  for (const std::string& text : {std::string(), std::string("nonsense"), std::string(20'000, 'a')}) {
    EXPECT_EQ(kind_of(authority.certify(text, "paris", {}, now)), ErrorKind::kInvalid);
    EXPECT_EQ(kind_of(NodeAuthority::key_of(text)), ErrorKind::kInvalid);
  }
}

TEST(NodeName, IsWhatAHostMayBeCalled) {
  for (const auto* name : {"a", "paris-1", "0"}) EXPECT_TRUE(is_node_name(name)) << name;
  for (const auto* name : {"", "-a", "a-", "A", "a.b", "a/b", "a,DNS:b"}) EXPECT_FALSE(is_node_name(name)) << name;
  for (const auto* pattern : {"*", "team", "te*m-1", "a.b_c"}) EXPECT_TRUE(is_project_pattern(pattern)) << pattern;
  for (const auto* pattern : {"", "a/b", "a,DNS:b", "A", "a b"}) EXPECT_FALSE(is_project_pattern(pattern)) << pattern;
}

}  // namespace
}  // namespace wherry::auth
