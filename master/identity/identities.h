// Identities: the part of a master that knows who may do what, put together.
#pragma once

#include <memory>
#include <string>

#include "common/auth/token_gate.h"
#include "common/auth/token_service.h"
#include "common/http/router.h"
#include "master/api/api.h"
#include "master/identity/directory.h"
#include "master/identity/endpoints.h"
#include "master/identity/ldap_source.h"
#include "master/identity/logins.h"
#include "master/identity/token_issuer.h"
#include "master/identity/token_keys.h"

namespace wherry::identity {

struct AccessOptions {
  std::optional<master::ldap::LdapOptions> ldap;                   ///< ldap
  std::string url;                                                 ///< access.url: how clients reach this registry
  std::string service = "wherry";                                  ///< access.service: the audience of its tokens
  std::chrono::milliseconds offline_grace{std::chrono::hours(8)};  ///< access.offline-grace
  bool cache_passwords = false;  ///< access.cache-passwords: whether nodes may keep hashes of them
  bool speaks_tls = false;       ///< towards clients: here, or by what stands before it
};

class Identities {
 public:
  /// All outlive it. On the first loop.
  Identities(std::string data, AccessOptions options, kv::KeyValue& store, audit::AuditLog& audit, const Clock& clock);

  /// Reads what is there, makes keys and, the first time, an administrator; tells the tiers. Errors: kInvalid, kIo.
  Task<Result<void>> start(Pool& disk, auth::NodeCheck nodes, auth::NodeSigner signer, std::vector<Loop*> loops);

  auth::Gate& gate() { return *gate_; }
  MasterLogins& logins() { return *logins_; }
  MasterIssuer& issuer() { return *issuer_; }
  Directory& directory() { return directory_; }
  /// Drops sessions that are over. Errors: kIo.
  Task<Result<void>> expire() { return directory_.end_sessions_of({}); }
  void add_to(api::Api& api);
  void add_to(http::Router& router);

 private:
  Task<Result<void>> make_administrator(Pool& disk);
  Task<Result<void>> announce();

  const std::string data_;
  const AccessOptions options_;
  kv::KeyValue& store_;
  audit::AuditLog& audit_;
  const Clock& clock_;
  registry::PolicyKeeper policy_;
  Directory directory_;
  std::unique_ptr<TokenKeys> keys_;
  std::unique_ptr<LdapSource> ldap_;
  std::unique_ptr<MasterLogins> logins_;
  std::unique_ptr<MasterIssuer> issuer_;
  std::unique_ptr<auth::TokenService> tokens_;
  std::unique_ptr<auth::TokenGate> gate_;
  std::unique_ptr<Administration> administration_;
};

inline std::string initial_password_file(const std::string& data) { return data + "/initial-admin-password"; }

}  // namespace wherry::identity
