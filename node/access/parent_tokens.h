// ParentTokens: asks the master for the tokens of those who log in to this node.
#pragma once

#include <memory>
#include <string>

#include "common/auth/token_service.h"
#include "common/http/client.h"
#include "node/follow/membership.h"

namespace wherry::node {

/// Passes a login on to the parent, which passes it on to its own, up to the master. A node that has joined says of
/// which client it is, and signs that: so limits and the audit log are of clients. At home on one loop.
class ParentTokens {
 public:
  static constexpr std::size_t kMaxAnswerBytes = 256 * 1024;
  static constexpr std::size_t kMostAtOnce = 64;

  /// `membership` outlives it.
  ParentTokens(std::string parent_url, http::ClientOptions options, Membership& membership);

  Task<void> stop();
  /// What the master answers. Errors: kUnauthorized, kDenied, kTooManyRequests as it says; kUnavailable when it cannot
  /// be asked, or only in clear over a network.
  Task<Result<auth::IssuedToken>> ask(const auth::TokenRequest& request);

 private:
  const std::string url_;
  const bool is_safe_;
  const http::ClientOptions options_;
  Membership& membership_;
  Loop& home_;
  std::unique_ptr<http::Client> client_;
  std::size_t asking_ = 0;
};

}  // namespace wherry::node
