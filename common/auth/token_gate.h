// TokenGate: the gate of a registry that knows its users: tokens, passwords, certificates of nodes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/per_loop.h"
#include "common/auth/gate.h"
#include "common/auth/policy_board.h"
#include "common/auth/token_memory.h"

namespace wherry::auth {

/// What is known of where a request came from.
struct LoginAttempt {
  std::string name;
  std::string password;
  std::string remote;  ///< the client's address, without a port
  std::string via;     ///< the node that vouches for that address; empty: it was seen here
};

/// Checks passwords and secrets. Any loop.
class Logins {
 public:
  virtual ~Logins() = default;
  /// Who that is. Errors: kUnauthorized, the same words for whatever is wrong; kTooManyRequests with the time after
  /// which it is worth trying; kDenied for a password that has to be changed first; kUnavailable.
  virtual Task<Result<Identity>> log_in(const LoginAttempt& attempt) = 0;
};

/// The registered node that signed a request with that body; empty when none did, whatever it shows. Any loop.
using NodeSigner = std::function<std::string(const http::Request& request, std::string_view body)>;

/// Checks what a node shows with its requests; nothing when that is no node's. Any loop. Errors: kUnauthorized.
using NodeCheck = std::function<Result<std::optional<Identity>>(const http::Exchange& exchange)>;

class TokenGate final : public Gate {
 public:
  static constexpr std::string_view kTokenPath = "/wherry/v1/token";
  /// That long a password that was right is right without being hashed again, on that loop.
  static constexpr std::chrono::seconds kPasswordMemory{60};
  static constexpr std::size_t kMostPasswords = 1024;

  struct Options {
    std::string url;   ///< how clients reach this registry: "https://registry.example"; empty: as each of them did
    bool tls = false;  ///< of the listener, where `url` is empty
    /// True when the master has not been heard of for so long that nobody counts as anybody any more: what is public is
    /// all that is left. Any loop, at once.
    std::function<bool()> is_public_only = [] { return false; };
    const PublicJwtKey* own_key = nullptr;  ///< of a node: for the tokens that it signs itself
  };
  /// All outlive it.
  TokenGate(const PolicyBoard& board, Logins& logins, NodeCheck nodes, Options options, std::vector<Loop*> loops);

  std::optional<Result<Visitor>> try_admit(const http::Exchange& exchange) override;
  Task<Result<Visitor>> admit(const http::Exchange& exchange) override;
  Result<Visitor> renewed(const Visitor& visitor) override;
  std::string challenge(const http::Request& request, std::string_view scope, std::string_view error) const override;

 private:
  struct Remembered {
    std::shared_ptr<const Claims> claims;
    Monotonic until;
  };
  struct Part {
    PolicyBoard::View view;
    TokenMemory tokens;
    ByText<Remembered> passwords;  // by a keyed hash of name and password
  };
  Result<Visitor> by_token(Part& part, std::string_view token);
  Task<Result<Visitor>> by_password(std::string_view credentials, std::string remote);
  Result<Visitor> admitted(const std::shared_ptr<const Policy>& policy, std::shared_ptr<const Claims> claims) const;
  Visitor visitor_of(const std::shared_ptr<const Policy>& policy, std::shared_ptr<const Claims> claims) const;

  const PolicyBoard& board_;
  Logins& logins_;
  const NodeCheck nodes_;
  const Options options_;
  std::string seed_;
  PerLoop<Part> parts_;
};

/// Name and password of a Basic header's value, "Basic ..." . Nothing when that is none. Source: RFC 7617.
std::optional<std::pair<std::string, std::string>> basic_credentials(std::string_view authorization);

/// The address in an Exchange's remote(): without its port.
std::string address_of(std::string_view remote);

}  // namespace wherry::auth
