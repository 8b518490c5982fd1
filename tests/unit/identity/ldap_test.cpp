#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "master/identity/ldap/connection.h"
#include "master/identity/ldap_source.h"
#include "tests/unit/identity/directory_fixture.h"

namespace wherry::master::ldap {
namespace {

using testing::kind_of;
using testing::run_all;
using testing::run_task;
using testing::Slapd;

using Names = std::vector<std::string>;

constexpr char kWrong[] = "the user name or the password is wrong";

class LdapLogin : public testing::DirectoryTest {
 protected:
  /// All of them look the same from outside.
  static void expect_refused(const Result<LdapPerson>& person) {
    EXPECT_EQ(kind_of(person), ErrorKind::kUnauthorized);
    EXPECT_EQ(said(person), kWrong);
  }
};

TEST_F(LdapLogin, TheRightPasswordTellsWhoItIs) {
  const auto alice = login("alice", "alice-secret");
  ASSERT_TRUE(alice) << alice.error().to_string();
  EXPECT_EQ(alice->login, "alice");
  EXPECT_EQ(alice->dn, "uid=alice,ou=people,dc=example,dc=org");
  EXPECT_EQ(alice->mail, "alice@example.org");
  EXPECT_EQ(alice->id.size(), 36u);
  EXPECT_EQ(alice->groups, Names{"developers"});
  EXPECT_EQ(alice->group_dns, Names{"cn=developers,ou=groups,dc=example,dc=org"});
}

TEST_F(LdapLogin, ALoginNameIsSpelledAsTheDirectorySpellsIt) {
  const auto alice = login("ALICE", "alice-secret");
  ASSERT_TRUE(alice) << alice.error().to_string();
  EXPECT_EQ(alice->login, "alice");
}

TEST_F(LdapLogin, NamesAreInLowerCaseHereHoweverTheDirectorySpellsThem) {
  identity::LdapSource source(options());
  auto pat = run_task(source.log_in("PAT.lee", "Pat.Lee-secret"));
  ASSERT_TRUE(pat) << pat.error().to_string();
  EXPECT_EQ(pat->name, "pat.lee");
  std::ranges::sort(pat->names);
  EXPECT_EQ(pat->names, (Names{"pat", "pat.lee"}));
}

TEST_F(LdapLogin, WhoIsNotToComeInIsRefusedInTheSameWords) {
  const std::string nul("alice-secret\0", 13);
  const std::string long_name(257, 'a');
  const std::pair<std::string, std::string> cases[] = {
      {"alice", "bob-secret"},
      {"alice", ""},
      {"alice", nul},
      {"alice", std::string("\0", 1)},
      {"alice", std::string(5000, 'a')},
      {"", "alice-secret"},
      {long_name, "alice-secret"},
      {"nobody-here", "alice-secret"},
      {"*", "alice-secret"},
      {"ali*", "alice-secret"},
      {"alice)(uid=*", "alice-secret"},
      {"*)(|(uid=alice", "alice-secret"},
      {"alice))(|(uid=*", "alice-secret"},
      {"alice\\2a", "alice-secret"},
      {std::string("alice\0", 6), "alice-secret"},
      {"alice\n", "alice-secret"},
      {"twin", "twin-secret"},
      {"elsewhere", "alice-secret"},
  };
  for (const auto& [name, password] : cases) {
    SCOPED_TRACE(name);
    expect_refused(login(name, password));
  }
}

TEST_F(LdapLogin, NothingIsSentForWhatCannotBeRight) {
  testing::BadServer server([](testing::BadServer::Visit& visit) { visit.ignore(); });
  auto with = options();
  with.url = server.url();
  for (const char* name : {"", "alice"}) expect_refused(login(with, name, ""));
  expect_refused(login(with, "alice", std::string("a\0b", 3)));
  expect_refused(login(with, std::string(257, 'a'), "secret"));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(LdapLogin, AConnectionBindsAsNobodyForNobody) {
  // This directory would call it a success (RFC 4513, 5.1.2).
  const auto deadline = Clock::system().monotonic() + std::chrono::seconds(5);
  auto connection = Connection::open(options(), deadline);
  ASSERT_TRUE(connection) << connection.error().message();
  EXPECT_EQ(kind_of(connection->bind(Slapd::kReader, "", deadline)), ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(connection->bind("", "secret", deadline)), ErrorKind::kUnauthorized);
  EXPECT_EQ(kind_of(connection->bind(Slapd::kReader, std::string_view("\0", 1), deadline)), ErrorKind::kUnauthorized);
  EXPECT_TRUE(connection->bind(Slapd::kReader, Slapd::kReaderPassword, deadline));
}

TEST_F(LdapLogin, MetacharactersInNamesAreNamesAndNothingElse) {
  const auto mia = login("mia*(x)", "mia*(x)-secret");
  ASSERT_TRUE(mia) << mia.error().to_string();
  EXPECT_EQ(mia->login, "mia*(x)");
  EXPECT_EQ(mia->groups, Names{"special"});
}

TEST_F(LdapLogin, AReferralIsNotFollowed) {
  expect_refused(login("elsewhere", "alice-secret"));
  EXPECT_EQ(elsewhere()->connections(), 0);
  auto with = options();
  with.search_base = "cn=elsewhere,ou=people,dc=example,dc=org";
  const auto person = login(with, "alice", "alice-secret");
  EXPECT_EQ(kind_of(person), ErrorKind::kUnavailable);
  EXPECT_NE(said(person).find("not followed"), std::string::npos) << said(person);
  EXPECT_EQ(elsewhere()->connections(), 0);
}

TEST_F(LdapLogin, GroupsOfGroupsAreFollowedAsDeepAsAsked) {
  const auto dave = login("dave", "dave-secret");
  ASSERT_TRUE(dave) << dave.error().to_string();
  EXPECT_EQ(dave->groups, (Names{"developers", "juniors"}));
  auto with = options();
  with.nested_groups = 0;
  const auto flat = login(with, "dave", "dave-secret");
  ASSERT_TRUE(flat) << flat.error().to_string();
  EXPECT_EQ(flat->groups, Names{"juniors"});
  const auto deep = login("deep", "deep-secret");
  ASSERT_TRUE(deep) << deep.error().to_string();
  EXPECT_EQ(deep->groups.size(), 9u);
  EXPECT_EQ(deep->groups.back(), "step-08");
}

TEST_F(LdapLogin, ACycleOfGroupsIsHarmless) {
  const auto erin = login("erin", "erin-secret");
  ASSERT_TRUE(erin) << erin.error().to_string();
  EXPECT_EQ(erin->groups, (Names{"loop-a", "loop-b"}));
}

TEST_F(LdapLogin, MoreGroupsThanAreReadIsAnErrorAndNotAPartOfThem) {
  const auto popular = login("popular", "popular-secret");
  EXPECT_EQ(kind_of(popular), ErrorKind::kUnavailable);
  EXPECT_NE(said(popular).find("1000"), std::string::npos) << said(popular);
}

TEST_F(LdapLogin, GroupsAreNotAskedForWithoutABase) {
  auto with = options();
  with.group_base.clear();
  const auto alice = login(with, "alice", "alice-secret");
  ASSERT_TRUE(alice) << alice.error().to_string();
  EXPECT_TRUE(alice->groups.empty());
}

TEST_F(LdapLogin, AnEntryWithoutWhatIdentifiesItIsSaidToThoseAlone) {
  auto with = options();
  with.id_attribute = "employeeNumber";
  expect_refused(login(with, "alice", "wrong"));
  const auto alice = login(with, "alice", "alice-secret");
  EXPECT_EQ(kind_of(alice), ErrorKind::kUnavailable);
  EXPECT_NE(said(alice).find("employeeNumber"), std::string::npos) << said(alice);
}

TEST_F(LdapLogin, LookingUpNeedsNoPassword) {
  LdapDirectory directory(options());
  const auto bob = run_task(directory.look_up("bob"));
  ASSERT_TRUE(bob) << bob.error().to_string();
  EXPECT_EQ(bob->groups, Names{"testers"});
  for (const char* name : {"", "*", "nobody-here", "twin", "elsewhere"})
    EXPECT_EQ(kind_of(run_task(directory.look_up(name))), ErrorKind::kNotFound) << name;
}

TEST_F(LdapLogin, AWrongSearchAccountIsOursAndNotThePersons) {
  testing::TempDir dir;
  testing::write_file(dir / "password", "wrong-reader-secret");
  auto with = options();
  with.bind_password_file = dir / "password";
  const auto alice = login(with, "alice", "alice-secret");
  ASSERT_EQ(kind_of(alice), ErrorKind::kUnavailable);
  const auto said = alice.error().to_string();
  EXPECT_NE(said.find(Slapd::kReader), std::string::npos) << said;
  EXPECT_EQ(said.find("wrong-reader-secret"), std::string::npos) << said;
  testing::write_file(dir / "password", "");
  EXPECT_EQ(kind_of(login(with, "alice", "alice-secret")), ErrorKind::kUnavailable);
}

TEST_F(LdapLogin, APersonsBindLeavesTheSearchingAsItWas) {
  auto with = options();
  with.connections = 1;
  LdapDirectory directory(with);
  // Only the reader may search here: were a kept connection bound as alice, the next search would find nobody.
  for (int i = 0; i < 3; ++i) {
    const auto alice = run_task(directory.login("alice", "alice-secret"));
    ASSERT_TRUE(alice) << alice.error().to_string();
    EXPECT_EQ(alice->groups, Names{"developers"});
    expect_refused(run_task(directory.login("alice", "wrong")));
  }
}

TEST_F(LdapLogin, TheSearchesOfManyLoginsShareAConnection) {
  testing::BadServer between([](testing::BadServer::Visit& visit) { visit.forward_to(slapd()->port()); });
  auto with = options();
  with.url = between.url();
  LdapDirectory directory(with);
  for (int i = 0; i < 3; ++i) {
    const auto alice = run_task(directory.login("alice", "alice-secret"));
    ASSERT_TRUE(alice) << alice.error().to_string();
  }
  EXPECT_EQ(between.connections(), 1 + 3) << "one to search, and one for each password";
}

TEST_F(LdapLogin, TwentyAtOnceAllComeIn) {
  LdapDirectory directory(options());
  std::vector<Task<Result<LdapPerson>>> logins;
  for (int i = 0; i < 20; ++i)
    logins.push_back(i % 2 == 0 ? directory.login("alice", "alice-secret") : directory.login("bob", "bob-secret"));
  const auto people = run_all(std::move(logins));
  for (std::size_t i = 0; i < people.size(); ++i) {
    ASSERT_TRUE(people[i]) << people[i].error().to_string();
    EXPECT_EQ(people[i]->groups, (i % 2 == 0 ? Names{"developers"} : Names{"testers"}));
  }
}

TEST_F(LdapLogin, ADirectoryThatWasAwayIsUsedAgain) {
  LdapDirectory directory(options());
  ASSERT_TRUE(run_task(directory.login("alice", "alice-secret")));
  slapd()->kill();
  EXPECT_EQ(kind_of(run_task(directory.login("alice", "alice-secret"))), ErrorKind::kUnavailable);
  slapd()->start();
  ASSERT_TRUE(run_task(directory.login("alice", "alice-secret")));
  slapd()->kill();
  slapd()->start();
  const auto alice = run_task(directory.login("alice", "alice-secret"));
  EXPECT_TRUE(alice) << alice.error().to_string();
}

}  // namespace
}  // namespace wherry::master::ldap
