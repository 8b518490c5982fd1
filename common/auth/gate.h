// Gate: finds out who sends a request, before anything is done for him.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/auth/visitor.h"
#include "common/base/error.h"
#include "common/http/exchange.h"

namespace wherry::auth {

/// Any loop.
class Gate {
 public:
  virtual ~Gate() = default;
  /// Without waiting and without a coroutine's frame: for who shows nothing, or a token. Nothing when it takes longer.
  /// Errors, of admit() too, are the answer: kUnauthorized with what is wrong with what he shows; kTooManyRequests;
  /// kUnavailable.
  virtual std::optional<Result<Visitor>> try_admit(const http::Exchange& exchange) = 0;
  virtual Task<Result<Visitor>> admit(const http::Exchange& exchange) = 0;
  /// The same visitor by the policy of this moment; a token that expired meanwhile goes on for what was begun with it.
  /// Errors: kUnauthorized when it was revoked.
  virtual Result<Visitor> renewed(const Visitor& visitor) = 0;
  /// The WWW-Authenticate header of a refusal; `scope`: of the token that would do, empty when there is none. Source:
  /// RFC 6750 3; the distribution project's token specification.
  virtual std::string challenge(const http::Request& request, std::string_view scope, std::string_view error) const = 0;
};

/// Of `--insecure-open`.
class OpenGate final : public Gate {
 public:
  std::optional<Result<Visitor>> try_admit(const http::Exchange&) override { return Visitor::everyone(); }
  Task<Result<Visitor>> admit(const http::Exchange&) override { co_return Visitor::everyone(); }
  Result<Visitor> renewed(const Visitor& visitor) override { return visitor; }
  std::string challenge(const http::Request&, std::string_view, std::string_view) const override { return {}; }
};

}  // namespace wherry::auth
