// Origin: the server of one upstream: how it is reached, what it is shown, and when it is left alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/per_loop.h"
#include "common/http/client.h"
#include "common/http/place.h"
#include "common/upstream/budget.h"
#include "common/upstream/call_record.h"
#include "common/upstream/circuit.h"
#include "common/upstream/options.h"
#include "common/upstream/tokens.h"

namespace wherry {

/// A question to a registry.
struct Question {
  std::string method = "GET";
  std::string target;                          ///< path and query, from /v2/ on; or a URL of the registry's own
  std::string scope;                           ///< of the token, e.g. "repository:library/alpine:pull"
  ErrorKind not_found = ErrorKind::kNotFound;  ///< what a 404 means
  std::vector<std::pair<std::string, std::string>> headers;
  enum class Cost { kFree, kManifest, kRefresh } cost = Cost::kFree;  ///< what is taken out of the budget
  std::vector<int> answers = {200, 206, 304};                         ///< the statuses that are no errors
  std::string body{};                                                 ///< what is sent, if anything is
  std::shared_ptr<http::RequestBody> stream{};                        ///< the same, as it is read
  bool patient =
      true;  ///< waits a moment for a server that is out of reach; else it is asked when it may be well again
};

/// Asks with tokens, follows redirects by hand so that credentials never leave the server that they are for, and keeps
/// away from a server that is down. Any loop: each has a client of its own.
class Origin {
 public:
  static constexpr int kMaxRedirects = 5;
  /// On each loop, beside those of blobs: no fetch of blobs keeps a question about names waiting.
  static constexpr long kConnectionsForNames = 64;

  Origin(UpstreamOptions options, Credentials credentials, const std::vector<Loop*>& loops);
  ~Origin();

  const UpstreamOptions& options() const { return options_; }
  const std::string& url() const { return options_.url; }
  /// Whether a question of that scope would not be answered now: the server or, when a token has to be fetched, the
  /// token server was found to be out of reach.
  bool is_down(const std::string& scope) const { return circuit_.is_open() || tokens_.is_down(scope); }
  /// Gives an Authorization header for a method and a target of this server, instead of tokens; nothing when there is
  /// nothing to show yet. Any loop. Before the first question.
  using Signer = std::function<std::optional<std::string>(std::string_view method, std::string_view target)>;
  void sign_by(Signer signer) { signer_ = std::move(signer); }
  Budget& budget() { return budget_; }
  const Budget& budget() const { return budget_; }
  const CallRecord& calls() const { return calls_; }

  /// The answer when it is one of those that the question expects. What changes something follows no redirect to
  /// another server. Errors: `not_found` for 404; kDenied for 401 and 403 (when tokens did not
  /// help), for a redirect or a token server that is not allowed; kUpstreamLimited for 429; kUpstreamFailed for 5xx;
  /// kUpstream and kTimeout when it cannot be reached or makes no sense.
  Task<Result<std::unique_ptr<http::Transfer>>> ask(Question question);

  /// Makes a client on each loop (loading what TLS needs takes some milliseconds: not in the first request).
  Task<void> open();
  /// Ends whatever is on its way, and all that is asked later, with kCancelled.
  Task<void> cancel();
  /// Drops the clients; each on its loop. Nothing may be on its way.
  Task<void> close();

 private:
  Task<Result<std::unique_ptr<http::Transfer>>> send(http::ClientRequest request);
  /// Where an answer redirects to. Errors: kDenied, kUpstream.
  Result<std::string> follow(const std::string& from, const http::ClientHead& head) const;
  Error judge(const std::string& asked, const http::ClientHead& head, ErrorKind not_found) const;

  const UpstreamOptions options_;
  const std::optional<http::Place> own_;  // nothing when the URL is none, which configuration does not let through
  PerLoop<std::unique_ptr<http::Client>> clients_;
  Signer signer_;
  Tokens tokens_;
  Circuit circuit_;
  Budget budget_;
  CallRecord calls_;
};

/// True when an error says nothing about the content, only that nobody could be asked.
inline bool is_down(const Error& error) {
  const ErrorKind kind = error.kind();
  return kind == ErrorKind::kUpstream || kind == ErrorKind::kTimeout || kind == ErrorKind::kUpstreamFailed ||
         kind == ErrorKind::kUpstreamLimited;
}

}  // namespace wherry
