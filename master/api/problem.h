// Problems: what a refusal looks like to a client of the API. Source: RFC 9457.
#pragma once

#include <string>

#include "common/base/error.h"
#include "master/api/call.h"

namespace wherry::api {

inline constexpr std::string_view kProblemType = "application/problem+json";

/// A problem document; its title is the status's own words.
Json problem_document(int status, const std::string& detail);

/// That of an error, with the status of its kind; what an Error has as detail (a JSON object) is among its members
/// (`status` in it stands for the kind's: 409, 412). What only the operator may read (files, disks) is left to the log.
Answer problem_of(const Error& error);

}  // namespace wherry::api
