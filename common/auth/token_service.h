// TokenService: the dance in which clients get tokens.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/auth/scope.h"
#include "common/auth/token_gate.h"
#include "common/http/server.h"

namespace wherry::auth {

struct TokenRequest {
  std::vector<Scope> scopes;
  /// Name and password; nothing for who shows none.
  std::optional<std::pair<std::string, std::string>> credentials;
  std::string refresh_token;
  bool wants_refresh_token = false;
  std::string client;  ///< what it calls itself
  std::string remote;  ///< its address, without a port
  std::string via;     ///< the node that vouches for that address; empty: it was seen here
};

struct IssuedToken {
  std::string token;
  std::chrono::seconds lasts{};
  WallTime issued{};
  std::string refresh_token;  ///< empty: none
};

/// Any loop. To ask for too much is no error: what is allowed of it is given. Errors: those of Logins::log_in().
class TokenIssuer {
 public:
  virtual ~TokenIssuer() = default;
  virtual Task<Result<IssuedToken>> issue(const TokenRequest& request) = 0;
};

/// GET with Basic credentials, and POST with a form (grant_type password or refresh_token), as docker and containerd
/// send them. Source: the distribution project's token and OAuth2 specifications; RFC 6749 4.3, 6. A POST that a node
/// has signed is of the client that it names in kClientHeader; that header of anybody else is not looked at.
class TokenService final : public http::Service {
 public:
  static constexpr std::size_t kMaxFormBytes = 64 * 1024;

  /// `issuer` outlives it.
  TokenService(TokenIssuer& issuer, NodeSigner signer) : issuer_(issuer), signer_(std::move(signer)) {}

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

 private:
  TokenIssuer& issuer_;
  const NodeSigner signer_;
};

/// What of those scopes that identity may, for a token.
std::vector<TokenAccess> granted_access(const Policy& policy, const Identity& who, const std::vector<Scope>& scopes);

/// The answer to a token request, as clients read it.
std::string token_document(const IssuedToken& issued);

}  // namespace wherry::auth
