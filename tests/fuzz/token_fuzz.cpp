// Tokens, scopes, credentials and policies as clients or a parent may give them: no bytes crash a reader, nothing that
// was not signed counts, and what is read is written as it was.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/auth/claims.h"
#include "common/auth/jwt.h"
#include "common/auth/policy.h"
#include "common/auth/scope.h"
#include "common/auth/token_gate.h"
#include "common/base/base64.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wherry;
  static const auth::JwtSigningKey key = auth::JwtSigningKey::make();
  static const auth::AccessSettings settings = [] {
    auth::AccessSettings made;
    made.keys.push_back(key.public_key());
    return made;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const WallTime now = from_millis(1'790'000'000'000);

  WHERRY_CHECK(!auth::read_claims(text, settings, now));
  // Claims that somebody who has the key would sign.
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_object()) {
    const auto claims = auth::read_claims(auth::sign_jwt(key, document), settings, now);
    if (claims) WHERRY_CHECK(claims->expires > now && !claims->id.empty());
  }
  const auto object = auth::strict_object(text, 8);
  WHERRY_CHECK(object.is_null() || object.is_object());
  if (const auto bytes = from_base64url(text)) WHERRY_CHECK(to_base64url(*bytes) == text);
  WHERRY_CHECK(from_base64url(to_base64url(text)) == text);

  for (const auth::Scope& scope : auth::Scope::parse_all(text)) {
    const auto again = auth::Scope::parse(scope.to_string());
    WHERRY_CHECK(again && *again == scope);
  }
  if (const auto project = auth::ProjectPolicy::from_json(text)) {
    const auto again = auth::ProjectPolicy::from_json(project->to_json());
    WHERRY_CHECK(again && again->id() == project->id());
  }
  if (const auto read = auth::AccessSettings::from_json(text))
    WHERRY_CHECK(auth::AccessSettings::from_json(read->to_json()));
  (void)auth::PublicJwtKey::from_jwk(text);
  (void)auth::basic_credentials("Basic " + std::string(text));
  return 0;
}
