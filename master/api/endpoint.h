// Endpoint: one method of one path, as it is described and as it is answered. The document and the dispatcher read the
// same, so that neither can be behind the other.
#pragma once

#include <optional>
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

/// What somebody needs who calls an endpoint.
struct Needs {
  enum class Where {
    kNothing,   ///< anybody may; the handler decides what he sees
    kLogin,     ///< to be somebody
    kRegistry,  ///< the permission, in the whole registry
    kProject,   ///< the permission in the project that the path's {project} names, or in the whole registry
  };
  Where where = Where::kRegistry;
  auth::Permission permission = auth::Permission::kManageSystem;

  static Needs nothing() { return {.where = Where::kNothing}; }
  static Needs login() { return {.where = Where::kLogin}; }
  static Needs in_registry(auth::Permission permission) { return {.permission = permission}; }
  static Needs in_project(auth::Permission permission) { return {.where = Where::kProject, .permission = permission}; }
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
  /// Left out: kReadSystem for GET, else kManageSystem.
  std::optional<Needs> needs{};
};

/// A reference to a schema that was given to Api::add_schema().
inline Json ref(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

/// An array of these.
inline Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }

}  // namespace wherry::api
