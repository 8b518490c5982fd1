// The one place where an error becomes what a client of /v2/ sees.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry {

/// What the client was doing: the specification gives a bad range another code for an upload.
enum class Traffic { kPull, kPush };

/// The code of an error body: capitals and underscores, never dangles. Sources: distribution-spec 1.1.1, "Error Codes";
/// docker distribution for UNKNOWN, UNAVAILABLE, TOOMANYREQUESTS and RANGE_INVALID.
std::string_view error_code(ErrorKind kind, Traffic traffic = Traffic::kPull);

/// The HTTP status that goes with it.
int http_status(ErrorKind kind);

/// The message of an error as a client may read it. Errors of our own machine (kNoSpace, kCorrupt, kIo, kInternal) say
/// only that, for their messages may name paths: log those. Lives as long as the error.
std::string_view told_message(const Error& error);

/// `{"errors":[{"code":...,"message":...,"detail":...}]}`, valid JSON whatever the message holds; detail only when the
/// error has one, which must be JSON, and its message is told. Causes are never told.
std::string error_body(const Error& error, Traffic traffic = Traffic::kPull);

}  // namespace wherry
