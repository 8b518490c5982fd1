// /api/v1/roles
#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::document_of;
using api::Needs;
using auth::Permission;

Task<Result<Answer>> list_roles(Administration& with, const Call&) {
  Json items = Json::array();
  for (const auth::BuiltInRole& role : auth::built_in_roles())
    items.push_back({{"name", role.name},
                     {"description", role.meaning},
                     {"permissions", role.permissions.names()},
                     {"built_in", true}});
  const auto page = with.directory.roles().page({}, kMostItems, [](const Role&) { return true; });
  for (const Role* role : page.records) items.push_back(view_of(*role));
  co_return Answer(page_of(std::move(items), {}));
}

Task<Result<Answer>> put_role(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  auto version = call.if_version();
  if (!version) co_return version.error();
  Role role;
  role.name = call.path("name");
  std::vector<std::string> permissions;
  auto read = document->read("description", role.description);
  if (read) read = document->read("permissions", permissions);
  if (read) read = document->finish();
  if (!read) co_return read.error();
  auto named = permissions_named(permissions);
  if (!named) co_return document->wrong("permissions", named.error().message());
  role.permissions = *named;
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
  Endpoints all(api, with, "roles");
  const Needs manage = Needs::in_registry(Permission::kManageUsers);
  all.add_list("/api/v1/roles", "listRoles", "The built-in roles of projects, and those of one's own", Needs::login(),
               role, list_roles);
  all.add("PUT", "/api/v1/roles/{name}", "putRole", "Makes or changes a role; it counts at once wherever it is granted",
          manage,
          {{"type", "object"},
           {"properties", {{"description", text_schema()}, {"permissions", api::list_of(text_schema())}}},
           {"required", Json::array({"permissions"})}},
          role, 200, put_role);
  all.add("DELETE", "/api/v1/roles/{name}", "deleteRole", "Ends a role that is granted nowhere", manage, {}, {}, 204,
          delete_role);
}

}  // namespace wherry::identity
