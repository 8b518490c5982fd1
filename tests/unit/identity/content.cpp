#include <fmt/format.h>

#include "tests/unit/identity/slapd.h"

namespace wherry::testing {
namespace {

std::string person_ldif(const std::string& rdn, const std::string& uid, const std::string& more = "") {
  return fmt::format(
      "dn: {},dc=example,dc=org\nobjectClass: inetOrgPerson\ncn: {}\nsn: {}\nuid: {}\n{}userPassword: {}-secret\n\n",
      rdn, uid, uid, uid, more, uid);
}

std::string group_ldif(const std::string& name, const std::string& members) {
  return fmt::format("dn: cn={},ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: {}\n{}\n", name, name,
                     members);
}

std::string member(const std::string& rdn) { return "member: " + rdn + ",dc=example,dc=org\n"; }

}  // namespace

std::string directory_content(int elsewhere_port) {
  std::string all =
      "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
      "dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n\n"
      "dn: ou=guests,ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: guests\n\n"
      "dn: ou=groups,dc=example,dc=org\nobjectClass: organizationalUnit\nou: groups\n\n"
      "dn: cn=reader,dc=example,dc=org\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
      "cn: reader\nuserPassword: reader-secret\n\n";
  all += person_ldif("uid=alice,ou=people", "alice", "mail: alice@example.org\n");
  for (const char* name : {"bob", "dave", "erin", "popular", "deep"})
    all += person_ldif(fmt::format("uid={},ou=people", name), name);
  all += person_ldif("uid=Pat.Lee,ou=people", "Pat.Lee", "uid: pat\n");
  all += person_ldif("cn=Mia (the \\2A) \\5C x,ou=people", "mia*(x)", "cn: Mia (the *) \\ x\n");
  all += person_ldif("cn=first,ou=people", "twin", "cn: first\n");
  all += person_ldif("cn=second,ou=guests,ou=people", "twin", "cn: second\n");
  all += fmt::format(
      "dn: cn=elsewhere,ou=people,dc=example,dc=org\nobjectClass: referral\nobjectClass: extensibleObject\n"
      "cn: elsewhere\nuid: elsewhere\nref: ldap://127.0.0.1:{}/uid=alice,ou=people,dc=example,dc=org\n\n",
      elsewhere_port);
  all += group_ldif("developers", member("uid=alice,ou=people") + member("cn=juniors,ou=groups"));
  all += group_ldif("juniors", member("uid=dave,ou=people"));
  all += group_ldif("testers", member("uid=bob,ou=people"));
  all += group_ldif("loop-a", member("uid=erin,ou=people") + member("cn=loop-b,ou=groups"));
  all += group_ldif("loop-b", member("cn=loop-a,ou=groups"));
  all += group_ldif("special", member("cn=Mia (the \\2A) \\5C x,ou=people"));
  all += group_ldif("step-00", member("uid=deep,ou=people"));
  for (int i = 1; i < 12; ++i)
    all += group_ldif(fmt::format("step-{:02}", i), member(fmt::format("cn=step-{:02},ou=groups", i - 1)));
  for (int i = 0; i < 1001; ++i) all += group_ldif(fmt::format("crowd-{:04}", i), member("uid=popular,ou=people"));
  return all;
}

}  // namespace wherry::testing
