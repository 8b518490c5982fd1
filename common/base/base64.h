// Base64, by OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wherry {

/// With padding. Source: RFC 4648 4.
std::string to_base64(std::string_view bytes);
/// Nothing when it is not base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

/// The alphabet of URLs, without padding. Source: RFC 4648 5.
std::string to_base64url(std::string_view bytes);
/// Nothing for what to_base64url() does not write: of several texts for the same bytes one counts.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace wherry
