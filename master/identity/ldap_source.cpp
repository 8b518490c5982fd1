#include "master/identity/ldap_source.h"

#include "common/base/log.h"
#include "common/base/lower_case.h"

namespace wherry::identity {

Task<Result<MasterLogins::Person>> LdapSource::log_in(std::string name, std::string password) {
  auto found = co_await directory_.login(std::move(name), std::move(password));
  if (!found && found.error().kind() == ErrorKind::kUnavailable) {
    log::warn("the LDAP directory cannot be asked", {{"error", found.error().to_string()}});  // tells of our network
    co_return Error(ErrorKind::kUnavailable, "the directory that knows who may log in cannot be asked now");
  }
  if (!found) co_return found.error();
  MasterLogins::Person person;
  person.external_id = found->id;
  person.name = lower_case(found->login);
  for (const std::string& login : found->logins) person.names.push_back(lower_case(login));
  person.mail = found->mail;
  person.groups = found->groups;
  co_return person;
}

}  // namespace wherry::identity
