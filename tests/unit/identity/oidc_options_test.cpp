#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "master/identity/oidc/options.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::identity::oidc {
namespace {

class OidcOptionsTest : public ::testing::Test {
 protected:
  Result<std::optional<OidcOptions>> read(const std::string& text) {
    testing::write_file(dir / "master.yaml", text);
    auto file = ConfigSection::load(dir / "master.yaml");
    if (!file) return file.error();
    return read_oidc(*file);
  }
  /// A file with that content and mode.
  std::string secret(const std::string& content, mode_t mode) {
    const std::string path = dir / ("secret-" + std::to_string(++files));
    testing::write_file(path, content);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  testing::TempDir dir;
  int files = 0;
};

constexpr const char* kLeast = "oidc:\n  issuer: https://login.example.org/realms/staff\n  client-id: wherry\n";

TEST_F(OidcOptionsTest, WithoutTheSectionThereIsNoProvider) {
  const auto options = read("data: /x\n");
  ASSERT_TRUE(options);
  EXPECT_FALSE(*options);
}

TEST_F(OidcOptionsTest, WhatIsNotSaidIsAsUsual) {
  const auto options = read(kLeast);
  ASSERT_TRUE(options) << options.error().message();
  EXPECT_EQ((*options)->issuer, "https://login.example.org/realms/staff");
  EXPECT_EQ((*options)->client_secret, "");
  EXPECT_EQ((*options)->scopes, (std::vector<std::string>{"openid", "profile", "email", "groups"}));
  EXPECT_EQ((*options)->login_claim, "preferred_username");
  EXPECT_EQ((*options)->groups_claim, "groups");
}

TEST_F(OidcOptionsTest, ReadsAllOfIt) {
  const auto options =
      read("oidc:\n  issuer: http://127.0.0.1:8080\n  client-id: w\n  client-secret-file: " + secret("a:b c\n", 0600) +
           "\n  scopes: [openid, roles]\n  login-claim: email\n  groups-claim: roles\n  timeout: 3s\n");
  ASSERT_TRUE(options) << options.error().message();
  EXPECT_EQ((*options)->client_secret, "a:b c");
  EXPECT_EQ((*options)->scopes, (std::vector<std::string>{"openid", "roles"}));
  EXPECT_EQ((*options)->login_claim, "email");
  EXPECT_EQ((*options)->groups_claim, "roles");
  EXPECT_EQ((*options)->timeout, std::chrono::seconds(3));
}

TEST_F(OidcOptionsTest, NamesTheKeyThatIsWrong) {
  struct Wrong {
    std::string text;
    std::string says;
  };
  const std::vector<Wrong> wrongs{
      {"oidc:\n  client-id: wherry\n", "issuer"},
      {"oidc:\n  issuer: https://login.example.org\n", "client-id"},
      {"oidc:\n  issuer: http://login.example.org\n  client-id: w\n", "https"},
      {"oidc:\n  issuer: http://192.0.2.7\n  client-id: w\n", "https"},
      {"oidc:\n  issuer: https://login.example.org/?x=1\n  client-id: w\n", "issuer"},
      {"oidc:\n  issuer: https://me:secret@login.example.org\n  client-id: w\n", "issuer"},
      {"oidc:\n  issuer: login.example.org\n  client-id: w\n", "issuer"},
      {kLeast + std::string("  scopes: [profile]\n"), "openid"},
      {kLeast + std::string("  scopes: ['openid profile']\n"), "scopes"},
      {kLeast + std::string("  login-claim: ''\n"), "login-claim"},
      {kLeast + std::string("  timeout: 1h\n"), "timeout"},
      {kLeast + std::string("  client-secret: hush\n"), "client-secret"},
      {kLeast + std::string("  ca-file: /no/such/file\n"), "ca-file"},
      {kLeast + ("  client-secret-file: " + secret("x", 0604)) + "\n", "chmod 600"},
      {kLeast + ("  client-secret-file: " + secret("\n", 0600)) + "\n", "empty"},
      {kLeast + ("  client-secret-file: " + secret("a\nb\n", 0600)) + "\n", "one line"},
      {kLeast + ("  client-secret-file: " + dir.path()) + "\n", "not a file"},
      {kLeast + ("  client-secret-file: " + dir.path() + "/none") + "\n", "cannot be read"}};
  for (const Wrong& wrong : wrongs) {
    const auto options = read(wrong.text);
    ASSERT_EQ(testing::kind_of(options), ErrorKind::kInvalid) << wrong.text;
    EXPECT_NE(options.error().message().find(wrong.says), std::string::npos) << options.error().message();
    EXPECT_NE(options.error().message().find("master.yaml"), std::string::npos) << options.error().message();
  }
}

}  // namespace
}  // namespace wherry::identity::oidc
