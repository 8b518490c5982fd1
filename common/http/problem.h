// Problem details: how our own interfaces word an error (RFC 9457).
#pragma once

#include <string_view>

#include "common/http/response.h"

namespace wherry::http {

/// application/problem+json with status, title and detail.
Response problem(int status, std::string_view title, std::string_view detail);

}  // namespace wherry::http
