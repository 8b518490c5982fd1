// Place: where a URL leads, for deciding what may be sent there.
#pragma once

#include <optional>
#include <string>

namespace wherry::http {

/// Scheme, host and port: what has to be the same for credentials to go along.
struct Place {
  std::string scheme;  ///< http or https
  std::string host;    ///< lower case
  std::string port;    ///< the scheme's own when the URL has none

  /// Nothing when it is no http or https URL, or holds credentials.
  static std::optional<Place> of(const std::string& url);
  /// HOST, or HOST:PORT where the port is not the scheme's own.
  std::string name() const;
  friend bool operator==(const Place&, const Place&) = default;
};

/// Whether this is the address of a server that requests can go to: http or https, a host, a path perhaps; neither
/// credentials nor a query.
bool is_server_url(const std::string& url);

/// Whether a password may be sent there: by TLS, or to where it does not leave this machine.
bool keeps_secrets(const std::string& url);

/// The URL that `reference` (absolute or relative) means at `base`, without its fragment; nothing when it means none.
/// Source: RFC 3986 5.
std::optional<std::string> resolve_url(const std::string& base, const std::string& reference);

}  // namespace wherry::http
