// The OpenAPI document of an API.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "master/api/endpoint.h"

namespace wherry::api {

/// Describes endpoints, which must be in the order in which people are to see them. Source: OpenAPI 3.1.0.
Json openapi_document(const std::vector<Endpoint>& endpoints, const std::map<std::string, Json>& schemas);

}  // namespace wherry::api
