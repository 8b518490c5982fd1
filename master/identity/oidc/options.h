// What configuration says of the OpenID provider that people log in with.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/config/config_file.h"

namespace wherry::identity::oidc {

/// The section `oidc` of the master's configuration; a key is the member's name with hyphens.
struct OidcOptions {
  std::string issuer;     ///< As the provider writes itself; https, or http at a loopback address.
  std::string client_id;  ///< Ours, at the provider.
  /// What stands in `client-secret-file`, read when the master starts. Empty: a public client, which shows none.
  std::string client_secret;
  std::vector<std::string> scopes{"openid", "profile", "email", "groups"};
  std::string login_claim = "preferred_username";  ///< Becomes the login name here, in lower case.
  std::string groups_claim = "groups";             ///< A list of names, or one.
  std::string ca_file;                             ///< PEM; the system's authorities when empty.
  std::chrono::milliseconds timeout{10'000};       ///< Of each question to the provider.
};

inline constexpr std::size_t kMaxUrlBytes = 2048;
inline constexpr std::size_t kMostScopes = 32;
inline constexpr std::chrono::milliseconds kLeastTimeout{100};
inline constexpr std::chrono::milliseconds kMaxTimeout = std::chrono::minutes(1);

/// Reads the section `oidc` of `file`; nothing when it is not there.
/// Errors: kInvalid, naming file, line and key; also for a secret that others may read.
Result<std::optional<OidcOptions>> read_oidc(ConfigSection& file);

/// The secret in a file of one line. Errors: kInvalid when everybody may read it, and when it holds none.
Result<std::string> read_client_secret(const std::string& path);

/// Whether an URL may be asked, or a browser sent there, in the name of `issuer`: https, or http at the issuer's own
/// loopback host when the issuer is asked so too. At most kMaxUrlBytes, no credentials, no fragment.
bool is_safe_url(const std::string& url, const std::string& issuer);

}  // namespace wherry::identity::oidc
