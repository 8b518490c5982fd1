#include "common/upstream/credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry {
namespace {

using testing::kind_of;

class CredentialsFile : public ::testing::Test {
 protected:
  Result<Credentials> read(const std::string& text, const std::string& host = "docker.io", mode_t mode = 0600) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
    return read_credentials(path_, host);
  }

  testing::TempDir directory_;
  const std::string path_ = directory_.path() + "/credentials";
};

TEST_F(CredentialsFile, OneLineOfUserAndPassword) {
  const auto read_ = read("robot:pass:word\n");
  ASSERT_TRUE(read_);
  EXPECT_EQ(read_->user, "robot");
  EXPECT_EQ(read_->password, "pass:word");
  EXPECT_EQ(read_->basic(), "Basic cm9ib3Q6cGFzczp3b3Jk");
}

TEST_F(CredentialsFile, DockersConfig) {
  const auto hub = read(R"({"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"}}})");
  ASSERT_TRUE(hub) << hub.error().message();
  EXPECT_EQ(hub->user, "u");
  EXPECT_EQ(hub->password, "p");
  const auto token = read(R"({"auths":{"r.example":{"identitytoken":"t"}}})", "r.example");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->identity_token, "t");
  EXPECT_EQ(kind_of(read(R"({"auths":{"r.example":{"identitytoken":"t"}}})", "s.example")), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(read(R"({"auths":{"r.example":{"auth":"!"}}})", "r.example")), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(read(R"({"auths":7})", "r.example")), ErrorKind::kInvalid);
}

TEST_F(CredentialsFile, WhatIsNoneIsRefusedAndNeverShown) {
  for (const char* text : {"", "secret", ":secret", "a:b\nsecret:c", "{secret", "\n"}) {
    const auto refused = read(text);
    ASSERT_EQ(kind_of(refused), ErrorKind::kInvalid) << text;
    EXPECT_EQ(refused.error().message().find("secret"), std::string::npos) << refused.error().message();
    EXPECT_NE(refused.error().message().find(path_), std::string::npos);
  }
}

TEST_F(CredentialsFile, WhatEverybodyCanReadOrIsNoFileIsRefused) {
  EXPECT_EQ(kind_of(read("a:b", "docker.io", 0644)), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(read_credentials(directory_.path(), "x")), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(read_credentials("/nowhere/at/all", "x")), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(read(std::string(70'000, 'x'))), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry
