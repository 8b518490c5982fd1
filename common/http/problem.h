// Problem details: how our own interfaces word an error (RFC 9457).
#pragma once

#include <string_view>

#include "common/base/error.h"
#include "common/http/response.h"

namespace wherry::http {

/// application/problem+json with status, title and detail.
Response problem(int status, std::string_view title, std::string_view detail);

/// That of an error: the status and code that /v2/ has for its kind, and its message as far as it is for clients.
Response problem_of(const Error& error);

}  // namespace wherry::http
