// OidcService: the paths below /wherry/v1/login/, where people log in with the OpenID provider.
#pragma once

#include <string>
#include <string_view>

#include "common/http/server.h"
#include "master/identity/logins.h"
#include "master/identity/oidc/code_flow.h"
#include "master/identity/oidc/cookie.h"
#include "master/identity/oidc/device_flow.h"
#include "master/identity/oidc/page.h"
#include "master/identity/token_issuer.h"

namespace wherry::identity::oidc {

/// GET start sends a browser to the provider, GET callback takes it back and shows a page with a secret, which is a
/// session's: by it the person logs in where a password is asked for. POST device begins a login
/// of a command line, POST device/poll with {"handle": ...} asks about it: 202 as long as nobody has logged in, then
/// once a token document with a refresh token, for the administration. What the provider says of itself is for the log,
/// never for who asks.
class OidcService final : public http::Service {
 public:
  static constexpr std::string_view kPrefix = "/wherry/v1/login/";
  static constexpr std::size_t kMaxBodyBytes = 4096;

  struct Place {
    std::string url;          ///< access.url: how browsers reach this registry; empty: as each of them did
    bool speaks_tls = false;  ///< towards clients: here, or by what stands before it
  };
  /// All outlive it. On the provider's loop, which is that of `logins` and `issuer`.
  OidcService(OidcProvider& provider, MasterLogins& logins, MasterIssuer& issuer, Place place);

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

 private:
  Task<Result<void>> start(http::Exchange& exchange);
  Task<Result<void>> callback(http::Exchange& exchange);
  Task<Result<void>> begin_device(http::Exchange& exchange);
  Task<Result<void>> poll_device(http::Exchange& exchange);

  // On the home loop:
  /// Who came back, and the secret that is given for it.
  Task<Result<LoggedIn>> finish(std::string state, std::string code, const std::string& remote);
  Task<Result<LoggedIn>> give_up(std::string state);
  Task<Result<auth::Identity>> admit(const MasterLogins::Person& person, const std::string& remote);
  /// The answer, as JSON: 202 or 200.
  Task<Result<http::Response>> poll(const std::string& handle, const std::string& remote);

  /// Writes down what came of a login; `name` is empty where the provider did not say whose it was.
  void note(const std::string& name, const std::string& remote, const Result<auth::Identity>& who);
  /// How the browser that asks reaches this registry. Errors: kInvalid when it does not say.
  Result<std::string> own_url(const http::Request& request) const;

  MasterLogins& logins_;
  MasterIssuer& issuer_;
  const std::string issuer_name_;
  const Place place_;
  const StateCookie cookie_;
  Loop& home_;
  CodeFlow codes_;
  DeviceFlow devices_;
};

}  // namespace wherry::identity::oidc
