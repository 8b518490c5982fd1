// /api/v1/roles
#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::Document;
using api::Needs;
using auth::Permission;

constexpr const char* kRoleTag = "roles";

Task<Result<Answer>> list_roles(Administration& with, const Call&) {
  Json items = Json::array();
  for (const auth::BuiltInRole& role : auth::built_in_roles())
    items.push_back({{"name", role.name},
                     {"description", role.meaning},
                     {"permissions", role.permissions.names()},
                     {"built_in", true}});
  for (const Role* role : with.directory.roles().page({}, kMostItems, [](const Role&) { return true; }))
    items.push_back(view_of(*role));
  co_return Answer(page_of(std::move(items), {}));
}

Task<Result<Answer>> put_role(Administration& with, const Call& call) {
  if (!call.body().is_object()) co_return Error(ErrorKind::kInvalid, "a JSON object is expected");
  auto version = call.if_version();
  if (!version) co_return version.error();
  Document document(call.body(), "");
  Role role;
  role.name = call.path("name");
  std::vector<std::string> permissions;
  auto read = document.read("description", role.description);
  if (read) read = document.read("permissions", permissions);
  if (read) read = document.finish();
  if (!read) co_return read.error();
  for (const std::string& name : permissions) {
    const auto permission = auth::permission_named(name);
    if (!permission) co_return document.wrong("permissions", name + " is none");
    role.permissions |= auth::Permissions{*permission};
  }
  auto put = co_await with.directory.put_role(role, *version);
  if (!put) co_return put.error();
  co_return Answer(view_of(*put)).of_version(put->version);
}

Task<Result<Answer>> delete_role(Administration& with, const Call& call) {
  auto gone = co_await with.directory.delete_role(call.path("name"));
  if (!gone) co_return gone.error();
  co_return Answer::nothing();
}

}  // namespace

void add_role_endpoints(api::Api& api, Administration& with) {
  const Json role = api::ref("Role");
  api.add_schema("Role", {{"type", "object"},
                          {"properties",
                           {{"name", text_schema()},
                            {"description", text_schema()},
                            {"permissions", api::list_of(text_schema())},
                            {"built_in", {{"type", "boolean"}}}}}});
  api.add({.method = "GET",
           .path = "/api/v1/roles",
           .id = "listRoles",
           .tag = kRoleTag,
           .summary = "The built-in roles of projects, and those of one's own",
           .response = {{"type", "object"}, {"properties", {{"items", api::list_of(role)}, {"next", text_schema()}}}},
           .handler = [&with](const Call& call) { return list_roles(with, call); },
           .needs = Needs::login()});
  api.add({.method = "PUT",
           .path = "/api/v1/roles/{name}",
           .id = "putRole",
           .tag = kRoleTag,
           .summary = "Makes or changes a role; it counts at once wherever it is granted",
           .request = {{"type", "object"},
                       {"properties", {{"description", text_schema()}, {"permissions", api::list_of(text_schema())}}},
                       {"required", Json::array({"permissions"})}},
           .response = role,
           .handler = [&with](const Call& call) { return put_role(with, call); },
           .needs = Needs::in_registry(Permission::kManageUsers)});
  api.add({.method = "DELETE",
           .path = "/api/v1/roles/{name}",
           .id = "deleteRole",
           .tag = kRoleTag,
           .summary = "Ends a role that is granted nowhere",
           .handler = [&with](const Call& call) { return delete_role(with, call); },
           .needs = Needs::in_registry(Permission::kManageUsers)});
}

}  // namespace wherry::identity
