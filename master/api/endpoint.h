// Endpoint: one method of one path, as it is described and as it is answered. The document and the dispatcher read the
// same, so that neither can be behind the other.
#pragma once

#include <string>
#include <vector>

#include "master/api/call.h"

namespace wherry::api {

/// A parameter of the query.
struct QueryParameter {
  std::string name;
  std::string description;
  Json schema = {{"type", "string"}};
};

/// `path` is a pattern (path_pattern.h). Schemas are JSON Schema 2020-12, or ref() to a named one.
struct Endpoint {
  std::string method;
  std::string path;
  std::string id{};       ///< operationId: "listPolicies"
  std::string tag{};      ///< the group that it is shown in
  std::string summary{};  ///< one line
  std::vector<QueryParameter> query{};
  Json request{};    ///< of the document that it takes; null: none
  Json response{};   ///< of what it answers when all is well; null: nothing (204)
  int status = 200;  ///< of that answer
  Handler handler{};
};

/// A reference to a schema that was given to Api::add_schema().
inline Json ref(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

/// An array of these.
inline Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }

}  // namespace wherry::api
