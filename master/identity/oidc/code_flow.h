// CodeFlow: logins of people with a browser, who come back from the provider with a code.
#pragma once

#include <string>

#include "master/identity/oidc/pending.h"
#include "master/identity/oidc/provider.h"

namespace wherry::identity::oidc {

/// The authorization code flow with PKCE (S256) and a nonce. On the provider's loop. What was begun is in memory alone:
/// a master that starts anew knows nothing of it. Source: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9700 2.1.
class CodeFlow {
 public:
  static constexpr std::chrono::minutes kLasts{10};
  static constexpr std::size_t kMaxCodeBytes = 4096;

  /// `provider` outlives it.
  explicit CodeFlow(OidcProvider& provider) : provider_(provider), begun_(provider.clock()) {}

  struct Begun {
    std::string url;    ///< where the browser goes
    std::string state;  ///< comes back with it; whoever began keeps it, so that nobody finishes the login of another
  };
  /// Errors: those of OidcProvider.
  Task<Result<Begun>> begin(std::string redirect_uri);
  /// Errors: kNotFound when that login was not begun, is finished or older than kLasts; kUnauthorized when the provider
  /// refuses the code, and those of OidcProvider::person_of(). Whatever comes of it, `state` is of no use any more.
  Task<Result<MasterLogins::Person>> finish(std::string state, std::string code);
  /// Forgets a login that the provider did not allow.
  void give_up(const std::string& state) { begun_.erase(state); }

 private:
  struct Login {
    std::string redirect_uri;
    std::string nonce;
    std::string verifier;
  };

  OidcProvider& provider_;
  Pending<Login> begun_;
};

}  // namespace wherry::identity::oidc
