// OidcProvider: the OpenID provider that people log in with, as a master sees it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/mutex.h"
#include "common/base/clock.h"
#include "master/identity/logins.h"
#include "master/identity/oidc/metadata.h"
#include "master/identity/oidc/options.h"
#include "master/identity/oidc/questions.h"

namespace wherry::identity::oidc {

/// On one loop, its constructor's. What the provider says of itself and its keys are fetched when they are needed and
/// kept for an hour; a question that failed is not asked again within kPause. Errors of all that asks: kUnavailable,
/// with a message for the log, when the provider cannot be asked or makes no sense; those of Questions.
class OidcProvider {
 public:
  static constexpr std::chrono::hours kMetadataLast{1};
  static constexpr std::chrono::hours kKeysLast{1};
  /// For a key that is not known the keys are fetched anew, at most that often.
  static constexpr std::chrono::minutes kUnknownKeyEvery{1};
  static constexpr std::chrono::seconds kPause{1};

  using Metadata = std::shared_ptr<const ProviderMetadata>;

  /// `clock` outlives it.
  OidcProvider(OidcOptions options, const Clock& clock);

  const OidcOptions& options() const { return options_; }
  const Clock& clock() const { return clock_; }

  Task<Result<Metadata>> metadata();

  /// What the token endpoint said to a form: tokens, or the code of its refusal (RFC 6749 5.2).
  struct TokenAnswer {
    std::string id_token;
    std::string access_token;  ///< is_bearer_token(); empty when there is none that can be shown
    std::string refusal;
  };
  /// Errors: also kUnavailable when it is this registry that it refuses (invalid_client, unauthorized_client).
  Task<Result<TokenAnswer>> ask_token(std::string form);
  /// The answer to a form that begins something, at an endpoint of the metadata. Errors as those of ask_token().
  Task<Result<nlohmann::json>> ask(std::string endpoint, std::string form);

  /// Who an ID token speaks of. `nonce`: that of the login; empty where there is none. Where it lacks a claim that
  /// configuration names, and the provider has a userinfo endpoint, that is asked; without groups a login goes on when
  /// the endpoint refuses to say more, which the log tells. Errors: kUnauthorized when the token is not signed by the
  /// provider or does not hold here and now, or when the endpoint speaks of somebody else.
  Task<Result<MasterLogins::Person>> person_of(const TokenAnswer& answer, std::string nonce);

  /// Ends all questions; for the end of the master.
  void stop() { questions_.cancel(); }

 private:
  using Keys = std::shared_ptr<const std::vector<auth::PublicJwtKey>>;

  /// Something that was fetched, and how that went the last time.
  template <class T>
  struct Kept {
    Mutex fetching{};
    std::shared_ptr<const T> value{};
    Monotonic fetched{};
    std::optional<Error> failure{};
    Monotonic failed{};

    std::optional<Error> recent_failure(Monotonic now) const {
      return failure && now - failed < kPause ? failure : std::nullopt;
    }
    Error fail(Error why, Monotonic now) {
      failure = why;
      failed = now;
      return why;
    }
    std::shared_ptr<const T> keep(T fresh, Monotonic now) {
      value = std::make_shared<const T>(std::move(fresh));
      fetched = now;
      failure.reset();
      return value;
    }
  };

  Task<Result<Metadata>> fetch_metadata();
  Task<Result<Keys>> keys();
  /// Others than `known`, if there are any by now or may be.
  Task<Result<Keys>> newer_keys(Keys known);
  Task<Result<Keys>> fetch_keys();
  Task<Result<nlohmann::json>> verified_claims(const std::string& id_token);
  /// The claims of a token that was checked, with what the userinfo endpoint adds to them.
  Task<Result<nlohmann::json>> completed(nlohmann::json claims, const std::string& access_token);

  const OidcOptions options_;
  const Clock& clock_;
  Questions questions_;
  Kept<ProviderMetadata> metadata_;
  Kept<std::vector<auth::PublicJwtKey>> keys_;
  std::optional<Monotonic> looked_for_newer_;
};

}  // namespace wherry::identity::oidc
