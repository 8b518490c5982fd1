// Credentials of a registry, from a file of the operator's.
#pragma once

#include <string>

#include "common/base/error.h"

namespace wherry {

/// What an upstream is shown. Never logged, never sent to another host.
struct Credentials {
  std::string user;
  std::string password;
  std::string identity_token;  ///< A refresh token, shown to the token server instead of the two above.

  bool empty() const { return user.empty() && identity_token.empty(); }
  /// The value of an Authorization header.
  std::string basic() const;
};

/// Reads USER:PASSWORD (one line), or docker's config.json, of which the entry of `host` is taken. Files over 64 KiB or
/// readable by everybody are refused. Errors: kInvalid, naming the file and never its content.
Result<Credentials> read_credentials(const std::string& path, const std::string& host);

}  // namespace wherry
