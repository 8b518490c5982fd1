// LdapSource: an LDAP directory as one of the places where passwords are known.
#pragma once

#include "master/identity/ldap/directory.h"
#include "master/identity/logins.h"

namespace wherry::identity {

class LdapSource final : public MasterLogins::PasswordSource {
 public:
  explicit LdapSource(master::ldap::LdapOptions options) : directory_(std::move(options)) {}
  Source source() const override { return Source::kLdap; }
  Task<Result<MasterLogins::Person>> log_in(std::string name, std::string password) override;

 private:
  master::ldap::LdapDirectory directory_;
};

}  // namespace wherry::identity
