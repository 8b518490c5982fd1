// Tokens: the token dance of the distribution specification, for one registry.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/async/single_flight.h"
#include "common/base/clock.h"
#include "common/http/client.h"
#include "common/upstream/challenge.h"
#include "common/upstream/circuit.h"
#include "common/upstream/credentials.h"

namespace wherry {

/// Remembers what a registry wants to see and fetches it: tokens are kept until shortly before they expire, and fetched
/// once for all who wait. Credentials go to the registry itself, to a token server on the same host and to those that
/// the operator names (`realms`), over https where the registry is reached over https. Any loop.
class Tokens {
 public:
  static constexpr std::size_t kMaxTokens = 4096;             ///< of scopes; the oldest goes
  static constexpr std::size_t kMaxAnswerBytes = 256 * 1024;  ///< of a token server
  static constexpr std::chrono::seconds kDefaultLife{60};     ///< also the least
  static constexpr std::chrono::seconds kLongestLife{3600 * 12};

  /// `client` gives the current loop's.
  Tokens(std::string url, std::vector<std::string> realms, Credentials credentials,
         std::function<http::Client&()> client, const std::vector<Loop*>& loops, const Clock& clock = Clock::system());

  /// The Authorization value for a request of that scope; empty when nothing is known to be wanted. Errors: kDenied
  /// when the token server refuses; kUpstream, kUpstreamFailed, kTimeout when it cannot be asked.
  Task<Result<std::string>> authorization(std::string scope);

  /// Takes in the challenges of a 401 that `shown` (the Authorization sent, or empty) was answered with. After success
  /// the request is worth one more try. Errors: kDenied when there is nothing more to show.
  Result<void> challenged(const std::string& scope, const std::vector<std::string_view>& fields,
                          const std::string& shown);

  /// True when a request of that scope needs a token and the token server was found to be out of reach. Any thread.
  bool is_down(const std::string& scope) const { return circuit_.is_open() && needs_token(scope); }
  /// The same, and it is not yet time to try again.
  bool is_resting(const std::string& scope) const { return circuit_.is_resting() && needs_token(scope); }

  Task<void> stop() { return fetching_.stop(); }

 private:
  struct Token {
    std::string value;
    Monotonic expires;
  };

  Task<Result<std::string>> fetch(std::string scope, Challenge challenge);
  Task<Result<Token>> request(Challenge challenge, std::string scope);
  bool needs_token(const std::string& scope) const;
  Task<Result<std::unique_ptr<http::Transfer>>> get(const Challenge& challenge, const std::string& scope);
  Task<Result<std::unique_ptr<http::Transfer>>> post(const Challenge& challenge, const std::string& scope);
  Result<Token> read(const std::string& realm, const std::string& body) const;
  bool may_go_to(const std::string& realm) const;

  const std::string url_;
  const std::vector<std::string> realms_;
  const Credentials credentials_;
  const std::function<http::Client&()> client_;
  const Clock& clock_;
  Circuit circuit_;           // of token servers
  mutable std::mutex mutex_;  // guards the two below; never held across a suspension
  std::optional<Challenge> wanted_;
  std::map<std::string, Token> tokens_;
  SingleFlight<Result<std::string>> fetching_;
};

}  // namespace wherry
