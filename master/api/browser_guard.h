// What keeps the pages that an operator's browser shows from driving the API.
#pragma once

#include <string_view>

#include "common/base/error.h"
#include "common/http/request.h"

namespace wherry::api {

/// Refuses a request that changes something when a page of another host may be behind it: its Origin is not the host
/// that it came to, or that host is a name (which whoever owns it may point to this machine) other than localhost, or
/// its document is of a type that forms can send. Who is no browser sends no Origin. Errors: kDenied, kInvalid.
/// Source: the Fetch standard, "Origin header" and "CORS-safelisted request-header".
Result<void> admit(const http::Request& request);

}  // namespace wherry::api
