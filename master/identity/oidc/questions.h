// Questions: what is asked of the provider over HTTP, within bounds of time, size and number.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/http/client.h"
#include "master/identity/oidc/options.h"

namespace wherry::identity::oidc {

/// A status below 500 and other than a redirect, with the JSON object that came with it; null when none did.
struct ProviderAnswer {
  int status = 0;
  std::string media_type;  ///< in lower case, without parameters
  nlohmann::json body;
};

/// On one loop, its constructor's. Redirects are never followed. Errors of all: kUnavailable, with a message for the
/// log, when the provider cannot be reached, takes longer than OidcOptions::timeout to begin or twice that to end,
/// answers more than kMaxAnswerBytes, a redirect or 429, or fails; kTooManyRequests when kMostAtOnce are under way.
class Questions {
 public:
  static constexpr std::size_t kMaxAnswerBytes = 256 * 1024;
  static constexpr std::size_t kMostAtOnce = 64;

  explicit Questions(const OidcOptions& options);

  Task<Result<ProviderAnswer>> get(std::string url);
  /// The same in somebody's name. Source: RFC 6750 2.1.
  Task<Result<ProviderAnswer>> get_as(std::string url, const std::string& access_token);
  /// A form, with the client's credentials where it has any.
  Task<Result<ProviderAnswer>> post(std::string url, std::string form);
  /// Ends all that is under way, and every later one at once.
  void cancel() { client_.cancel_all(); }

 private:
  Task<Result<ProviderAnswer>> ask(http::ClientRequest request);
  Task<Result<ProviderAnswer>> ask_in_time(http::ClientRequest request);

  const OidcOptions& options_;
  http::Client client_;
  std::size_t under_way_ = 0;
};

/// "NAME=VALUE" of a form or query, with an '&' before it unless it is the first. Source: RFC 6749, appendix B.
void add_parameter(std::string& to, std::string_view name, std::string_view value);

}  // namespace wherry::identity::oidc
