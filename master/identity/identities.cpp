#include "master/identity/identities.h"

#include "common/auth/password_hash.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/feed/state.h"

namespace wherry::identity {
Identities::Identities(std::string data, AccessOptions options, kv::KeyValue& store, audit::AuditLog& audit,
                       const Clock& clock)
    : data_(std::move(data)),
      options_(std::move(options)),
      store_(store),
      audit_(audit),
      clock_(clock),
      policy_(store),
      directory_(store, policy_, clock) {}

Task<Result<void>> Identities::make_administrator(Pool& disk) {
  const std::string file = initial_password_file(data_);
  const std::string password = auth::random_password();
  auto hash = co_await logins_->hash(password);
  if (!hash) co_return hash.error();
  auto written = co_await disk.run([&] { return replace_secret_file(file, password + "\n"); });
  if (!written) co_return written;
  User user;
  user.name = kFirstAdministrator;
  user.password_hash = std::move(*hash);
  user.administrator = true;
  user.must_change_password = true;
  auto made = co_await directory_.create_user(user);
  if (!made) co_return made.error();
  log::info("an administrator was made; the password has to be changed before it is of use",
            {{"name", kFirstAdministrator}, {"password_file", file}});
  co_return Result<void>();
}

Task<Result<void>> Identities::announce() {
  auth::AccessSettings settings;
  settings.service = options_.service;
  settings.offline_grace = std::chrono::duration_cast<std::chrono::seconds>(options_.offline_grace);
  settings.cache_passwords = options_.cache_passwords;
  settings.keys = keys_->public_keys();
  std::string document = settings.to_json();
  auto present = co_await store_.get(feed::state_policies_prefix() + std::string(auth::kAccessPolicy));
  if (!present) co_return present.error();
  if (*present == document) co_return Result<void>();
  co_return co_await directory_.set_policy(std::string(auth::kAccessPolicy), std::move(document));
}

Task<Result<void>> Identities::start(Pool& disk, auth::NodeCheck nodes, auth::NodeSigner signer,
                                     std::vector<Loop*> loops) {
  const std::string file = token_keys_file(data_);
  auto keys = co_await disk.run([&] { return TokenKeys::load_or_make(file); });
  if (!keys) co_return keys.error();
  keys_ = std::make_unique<TokenKeys>(std::move(*keys));
  auto loaded = co_await directory_.load();
  if (!loaded) co_return loaded;
  logins_ = std::make_unique<MasterLogins>(directory_, &audit_, clock_);
  if (options_.ldap) {
    ldap_ = std::make_unique<LdapSource>(*options_.ldap);
    logins_->add(*ldap_);
  }
  if (directory_.is_empty()) {
    auto made = co_await make_administrator(disk);
    if (!made) co_return made;
  }
  auto announced = co_await announce();
  if (!announced) co_return announced;
  issuer_ = std::make_unique<MasterIssuer>(directory_, *logins_, *keys_, clock_);
  tokens_ = std::make_unique<auth::TokenService>(*issuer_, std::move(signer));
  auth::TokenGate::Options gate;
  gate.url = options_.url;
  gate.tls = options_.speaks_tls;
  gate_ =
      std::make_unique<auth::TokenGate>(policy_.board(), *logins_, std::move(nodes), std::move(gate), std::move(loops));
  administration_ = std::make_unique<Administration>(
      Administration{directory_, *logins_, clock_, disk, initial_password_file(data_)});
  co_return Result<void>();
}

void Identities::add_to(api::Api& api) {
  add_user_endpoints(api, *administration_);
  add_group_endpoints(api, *administration_);
  add_project_endpoints(api, *administration_);
  add_role_endpoints(api, *administration_);
  add_robot_endpoints(api, *administration_);
}

void Identities::add_to(http::Router& router) { router.add(std::string(auth::TokenGate::kTokenPath), *tokens_); }

}  // namespace wherry::identity
