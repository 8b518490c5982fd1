// Tests against one slapd that a whole suite shares.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "master/identity/ldap/directory.h"
#include "tests/unit/identity/bad_server.h"
#include "tests/unit/identity/slapd.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::testing {

/// Skips its tests when there is no slapd on the machine.
class DirectoryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!Slapd::installed()) return;
    elsewhere() = std::make_unique<BadServer>([](BadServer::Visit& visit) { visit.ignore(); });
    Slapd::Options options;
    options.elsewhere_port = elsewhere()->port();
    slapd() = std::make_unique<Slapd>(options);
  }
  static void TearDownTestSuite() {
    slapd().reset();
    elsewhere().reset();
  }
  void SetUp() override {
    if (!Slapd::installed()) GTEST_SKIP() << "slapd is not installed";
  }

  static std::unique_ptr<Slapd>& slapd() {
    static std::unique_ptr<Slapd> shared;
    return shared;
  }
  /// Where the referral in the directory points to.
  static std::unique_ptr<BadServer>& elsewhere() {
    static std::unique_ptr<BadServer> shared;
    return shared;
  }

  static master::ldap::LdapOptions options() {
    master::ldap::LdapOptions with;
    with.url = slapd()->url();
    with.ca_file = slapd()->ca_file();
    with.bind_dn = Slapd::kReader;
    with.bind_password_file = slapd()->reader_password_file();
    with.search_base = "ou=people,dc=example,dc=org";
    with.group_base = "ou=groups,dc=example,dc=org";
    return with;
  }
  /// Logs in on connections that nobody used before.
  static Result<master::ldap::LdapPerson> login(const master::ldap::LdapOptions& with, std::string name,
                                                std::string password) {
    master::ldap::LdapDirectory directory(with);
    return run_task(directory.login(std::move(name), std::move(password)));
  }
  /// The whole text of an error, with its causes; empty when there is none.
  static std::string said(const Result<master::ldap::LdapPerson>& person) {
    return person ? std::string() : person.error().to_string();
  }
  static Result<master::ldap::LdapPerson> login(std::string name, std::string password) {
    return login(options(), std::move(name), std::move(password));
  }
};

}  // namespace wherry::testing
