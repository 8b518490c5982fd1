#include <gtest/gtest.h>

#include <string>

#include "master/identity/ldap/filter.h"
#include "master/identity/ldap/options.h"
#include "master/identity/ldap/value.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::master::ldap {
namespace {

using testing::kind_of;
using testing::TempDir;
using testing::write_file;

class LdapConfig : public ::testing::Test {
 protected:
  LdapConfig() {
    write_file(dir_ / "password", "secret\n");
    write_file(dir_ / "empty", "\n");
    write_file(dir_ / "two-lines", "secret\nother\n");
    write_file(dir_ / "ca.pem", "");
  }
  /// `text` below `ldap:`; @ in it is the folder of the files above.
  Result<std::optional<LdapOptions>> read(std::string text) {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@')) text.replace(at, 1, dir_.path() + "/");
    write_file(dir_ / "wherry.yaml", text);
    auto file = ConfigSection::load(dir_ / "wherry.yaml");
    if (!file) return file.error();
    auto options = read_ldap(*file);
    if (!options) return options;
    if (auto finished = file->finish(); !finished) return finished.error();
    return options;
  }

  TempDir dir_;
};

TEST_F(LdapConfig, NoSectionIsNoDirectory) {
  const auto options = read("");
  ASSERT_TRUE(options) << options.error().message();
  EXPECT_FALSE(*options);
}

TEST_F(LdapConfig, EveryKeyIsRead) {
  const auto read_options = read(
      "ldap:\n  url: ldaps://[::1]:1636\n  ca-file: '@ca.pem'\n  bind-dn: cn=r\n  bind-password-file: '@password'\n"
      "  search-base: dc=x\n  filter: (sAMAccountName={login})\n  login-attribute: sAMAccountName\n"
      "  mail-attribute: m\n  id-attribute: objectGUID\n  group-base: dc=g\n  group-filter: (member={dn})\n"
      "  group-name-attribute: n\n  nested-groups: 0\n  timeout: 2s\n  connections: 7\n");
  ASSERT_TRUE(read_options) << read_options.error().message();
  ASSERT_TRUE(*read_options);
  const LdapOptions& options = **read_options;
  EXPECT_EQ(options.url, "ldaps://[::1]:1636");
  EXPECT_EQ(options.ca_file, dir_ / "ca.pem");
  EXPECT_EQ(options.bind_dn, "cn=r");
  EXPECT_EQ(options.bind_password_file, dir_ / "password");
  EXPECT_EQ(options.search_base, "dc=x");
  EXPECT_EQ(options.filter, "(sAMAccountName={login})");
  EXPECT_EQ(options.login_attribute, "sAMAccountName");
  EXPECT_EQ(options.mail_attribute, "m");
  EXPECT_EQ(options.id_attribute, "objectGUID");
  EXPECT_EQ(options.group_base, "dc=g");
  EXPECT_EQ(options.group_filter, "(member={dn})");
  EXPECT_EQ(options.group_name_attribute, "n");
  EXPECT_EQ(options.nested_groups, 0u);
  EXPECT_EQ(options.timeout, std::chrono::seconds(2));
  EXPECT_EQ(options.connections, 7u);
}

TEST_F(LdapConfig, WhatIsWrongNamesItsLineAndKey) {
  struct Case {
    const char* more;
    const char* said;
  };
  const std::string start = "ldap:\n  url: ldap://h:389\n  search-base: dc=x\n";
  for (const Case& each : {Case{"  start-tls: false\n", ":4: ldap.start-tls: false would send passwords in clear"},
                           Case{"  insecure-plain: true\n", ":4: ldap.insecure-plain: "},
                           Case{"  filter: (uid=x)\n", ":4: ldap.filter: "},
                           Case{"  filter: (|(uid={login})(mail={login}))\n", ":4: ldap.filter: "},
                           Case{"  filter: uid={login}\n", ":4: ldap.filter: "},
                           Case{"  filter: (uid={login}\n", ":4: ldap.filter: "},
                           Case{"  filter: (a=b)(uid={login})\n", ":4: ldap.filter: "},
                           Case{"  group-filter: (member=x)\n", ":4: ldap.group-filter: "},
                           Case{"  id-attribute: 'a b'\n", ":4: ldap.id-attribute: "},
                           Case{"  bind-dn: cn=r\n", ":4: ldap.bind-dn: "},
                           Case{"  bind-password-file: '@password'\n", ":4: ldap.bind-password-file: "},
                           Case{"  bind-dn: c\n  bind-password-file: '@none'\n", ":5: ldap.bind-password-file: "},
                           Case{"  bind-dn: c\n  bind-password-file: '@empty'\n", ":5: ldap.bind-password-file: "},
                           Case{"  bind-dn: c\n  bind-password-file: '@two-lines'\n", ":5: ldap.bind-password-file: "},
                           Case{"  ca-file: '@none'\n", ":4: ldap.ca-file: "},
                           Case{"  timeout: 0s\n", ":4: ldap.timeout: "},
                           Case{"  timeout: 2m\n", ":4: ldap.timeout: "},
                           Case{"  connections: 0\n", ":4: ldap.connections: "},
                           Case{"  nested-groups: 33\n", ":4: ldap.nested-groups: "},
                           Case{"  start_tls: false\n", ":4: ldap.start_tls: there is no such key"}}) {
    const auto options = read(start + each.more);
    ASSERT_EQ(kind_of(options), ErrorKind::kInvalid) << each.more;
    EXPECT_NE(options.error().message().find(each.said), std::string::npos) << options.error().message();
  }
  const auto plain = read(start + "  start-tls: false\n  insecure-plain: true\n");
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_FALSE((*plain)->with_tls());
}

TEST_F(LdapConfig, OnlyAServersUrlIsOne) {
  for (const char* url : {"ldap://h", "ldaps://h:636", "ldap://127.0.0.1:389", "ldap://[::1]:389"})
    EXPECT_TRUE(read(std::string("ldap:\n  search-base: x\n  url: '") + url + "'\n")) << url;
  for (const char* url : {"http://h", "ldapi:///", "ldap://", "ldap://:389", "ldap://h:0", "ldap://h:99999", "h:389",
                          "ldap://h/dc=x", "ldap://h?uid", "ldap://a ldap://b", "ldap://u@h", "cldap://h", "LDAP://h"})
    EXPECT_EQ(kind_of(read(std::string("ldap:\n  search-base: x\n  url: '") + url + "'\n")), ErrorKind::kInvalid)
        << url;
  EXPECT_EQ(kind_of(read("ldap:\n  search-base: x\n")), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(read("ldap:\n  url: ldap://h\n")), ErrorKind::kInvalid);
}

TEST(LdapFilter, WhatCouldWidenItIsEscaped) {
  EXPECT_EQ(escape_for_filter(std::string_view("a*(b)\\\0 c", 9)), "a\\2a\\28b\\29\\5c\\00 c");
  EXPECT_EQ(escape_for_filter("\xc3\xa9\n"), "\\c3\\a9\\0a");
  EXPECT_EQ(fill_template("(&(a=b)(uid={login}))", kLoginPlace, "{login})(x=*"), "(&(a=b)(uid={login}\\29\\28x=\\2a))");
}

TEST(LdapValues, BinaryIdsAreHexadecimalWhateverTheirBytes) {
  EXPECT_EQ(id_of({"8d3f-11"}, "entryUUID"), "8d3f-11");
  EXPECT_EQ(id_of({"AAAABBBBCCCCDDDD"}, "objectguid"), "41414141424242424343434344444444");
  EXPECT_EQ(id_of({std::string("\x01\xff\0", 3)}, "custom"), "01ff00");
  EXPECT_EQ(id_of({"a", "b"}, "entryUUID"), "");
  EXPECT_EQ(id_of({""}, "entryUUID"), "");
  EXPECT_EQ(id_of({}, "entryUUID"), "");
}

TEST(LdapValues, TheLoginNameThatWasTypedIsTakenOfSeveral) {
  EXPECT_EQ(login_of({"alice", "asmith"}, "ASmith"), "asmith");
  EXPECT_EQ(login_of({"alice", "asmith"}, "alice@example.org"), "alice");
  EXPECT_EQ(text_of({"bad\nname", "good"}), "good");
  EXPECT_EQ(text_of({std::string(257, 'a')}), "");
}

}  // namespace
}  // namespace wherry::master::ldap
