// Rights: what a request to /v2/ needs, and how one is refused that has not got it.
#pragma once

#include <optional>
#include <string>

#include "common/auth/gate.h"
#include "common/http/response.h"
#include "common/registry/route.h"

namespace wherry::registry {

/// What a method of an endpoint needs; nothing for what is not about a repository.
std::optional<auth::Permission> needed(Endpoint endpoint, std::string_view method);

/// The scope of the token that would do for it, e.g. "repository:team/app:pull,push".
std::string scope_of(const Route& route, std::string_view method);

/// 401 with a challenge: whoever asks has to show (something else of) who he is. `error` as in auth::Gate::challenge().
http::Response unauthorized(const auth::Gate& gate, const http::Request& request, const Error& why,
                            const std::string& scope, std::string_view error);

/// The refusal of who may not do that with this repository; nothing for who may. Nothing is said of whether it is
/// there. `extra`: as auth::Visitor::may() takes it.
std::optional<http::Response> refuse(const auth::Gate& gate, const http::Request& request, const Route& route,
                                     const auth::Visitor& visitor, auth::Permissions extra);

/// The error of one who is known and may not.
Error denied(const auth::Visitor& visitor, auth::Permission permission, std::string_view repository);

}  // namespace wherry::registry
