#include "common/net/tls_identity.h"

#include <gtest/gtest.h>

#include "tests/unit/support/certificate.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry {
namespace {

using testing::Certificate;
using testing::kind_of;

class TlsIdentityTest : public ::testing::Test {
 protected:
  TlsIdentityTest() {
    authority.write(dir / "ca.pem", dir / "ca.key");
    server.write(dir / "server.pem", dir / "server.key");
    files.certificate = dir / "server.pem";
    files.key = dir / "server.key";
  }
  /// What is said of the files as they are.
  std::string complaint() const {
    auto identity = TlsIdentity::load(files);
    if (identity) return "none";
    EXPECT_EQ(identity.error().kind(), ErrorKind::kInvalid);
    return identity.error().message();
  }

  testing::TempDir dir;
  Certificate authority{"authority"};
  Certificate server{"server", &authority};
  TlsFiles files;
};

TEST_F(TlsIdentityTest, GoodFilesAreTakenAndTheEndOfTheirTimeIsKnown) {
  auto identity = TlsIdentity::load(files);
  ASSERT_TRUE(identity) << identity.error().message();
  const auto left = (*identity)->not_after() - std::chrono::system_clock::now();
  EXPECT_LE(left, std::chrono::minutes(60));
  EXPECT_GE(left, std::chrono::minutes(58));
}

TEST_F(TlsIdentityTest, WhatIsWrongIsSaidWithTheNameOfTheFile) {
  files.certificate = dir / "none.pem";
  EXPECT_TRUE(complaint().starts_with(files.certificate + ": ")) << complaint();
  files.certificate = dir / "server.pem";
  files.key = dir / "none.key";
  EXPECT_TRUE(complaint().starts_with(files.key + ": ")) << complaint();
  files.key = dir / "ca.key";
  EXPECT_TRUE(complaint().starts_with(files.key + ": ")) << complaint();
  files.key = dir / "server.key";
  files.client_ca = dir / "server.key";
  EXPECT_TRUE(complaint().starts_with(files.client_ca + ": ")) << complaint();
  files.client_ca = dir / "ca.pem";
  EXPECT_EQ(complaint(), "none");
  testing::write_file(dir / "server.key",
                      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_TRUE(complaint().starts_with(files.key + ": ")) << complaint();
}

TEST_F(TlsIdentityTest, ItIsReadAnewWhenItsFilesChangeAndStaysWhatItWasWhenTheyAreWrong) {
  auto identity = TlsIdentity::load(files).value();
  const auto first = identity->context();
  EXPECT_FALSE(identity->reload(TlsIdentity::Reading::kIfChanged).value());
  EXPECT_EQ(identity->context(), first);

  Certificate("another", &authority, std::chrono::hours(5)).write(dir / "server.pem", dir / "server.key");
  EXPECT_TRUE(identity->reload(TlsIdentity::Reading::kIfChanged).value());
  const auto second = identity->context();
  EXPECT_NE(second, first);
  EXPECT_GE(identity->not_after() - std::chrono::system_clock::now(), std::chrono::hours(4));

  testing::write_file(dir / "server.key", "nothing of use");
  EXPECT_EQ(kind_of(identity->reload(TlsIdentity::Reading::kIfChanged)), ErrorKind::kInvalid);
  EXPECT_EQ(identity->context(), second);

  server.write(dir / "server.pem", dir / "server.key");
  EXPECT_TRUE(identity->reload(TlsIdentity::Reading::kAlways).value());
  EXPECT_TRUE(identity->reload(TlsIdentity::Reading::kAlways).value()) << "it was asked to";
}

}  // namespace
}  // namespace wherry
