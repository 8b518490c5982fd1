// /api/v1/projects and their grants
#include <algorithm>

#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::Document;
using api::Needs;
using auth::Permission;

constexpr const char* kProjectTag = "projects";

/// Those that somebody may know of.
Task<Result<Answer>> list_projects(Administration& with, const Call& call) {
  auto limit = call.number("n", kMostItems, 1, kMostItems);
  if (!limit) co_return limit.error();
  const auth::Visitor& visitor = call.visitor();
  const auto may_see = [&](const Project& project) {
    return project.is_public || visitor.is_everyone() ||
           !with.directory.policy().allowed_in_project(visitor.who(), project.name).empty();
  };
  const auto page = with.directory.projects().page(call.query("last").value_or(""), *limit, may_see);
  Json items = Json::array();
  for (const Project* project : page) items.push_back(view_of(*project));
  co_return Answer(page_of(std::move(items), page.size() == *limit ? page.back()->name : std::string()));
}

Task<Result<Answer>> show_project(Administration& with, const Call& call) {
  const Project* project = with.directory.projects().named(call.path("project"));
  if (project == nullptr) co_return not_there("project", call.path("project"));
  co_return Answer(view_of(*project)).of_version(project->version);
}

/// Who makes a project is its administrator, where he is not one of everything.
Task<Result<Answer>> create_project(Administration& with, const Call& call) {
  if (!call.body().is_object()) co_return Error(ErrorKind::kInvalid, "a JSON object is expected");
  Document document(call.body(), "");
  Project project;
  auto read = document.read("name", project.name);
  if (read) read = document.read("public", project.is_public);
  if (read) read = document.finish();
  if (!read) co_return read.error();
  auto made = co_await with.directory.create_project(project);
  if (!made) co_return made.error();
  co_return Answer(view_of(*made), 201).at("/api/v1/projects/" + made->name).of_version(made->version);
}

Task<Result<Answer>> change_project(Administration& with, const Call& call) {
  if (!call.body().is_object()) co_return Error(ErrorKind::kInvalid, "a JSON object is expected");
  auto version = call.if_version();
  if (!version) co_return version.error();
  Document document(call.body(), "");
  // To let everybody pull is to grant.
  const bool may_publish =
      call.visitor().may_in_project(Permission::kManageGrants, call.path("project")) == auth::Visitor::May::kYes;
  const Directory::Change<Project> change = [&](Project& project) -> Result<void> {
    const bool was_public = project.is_public;
    auto read = document.read("public", project.is_public);
    if (read && project.is_public != was_public && !may_publish)
      return Error(ErrorKind::kDenied, "to say who may pull takes {}", auth::name_of(Permission::kManageGrants));
    return read ? document.finish() : read;
  };
  auto changed = co_await with.directory.change_project(call.path("project"), *version, change);
  if (!changed) co_return changed.error();
  co_return Answer(view_of(*changed)).of_version(changed->version);
}

Task<Result<Answer>> delete_project(Administration& with, const Call& call) {
  auto version = call.if_version();
  if (!version) co_return version.error();
  auto gone = co_await with.directory.delete_project(call.path("project"), *version);
  if (!gone) co_return gone.error();
  co_return Answer::nothing();
}

Task<Result<Answer>> list_grants(Administration& with, const Call& call) {
  const Project* project = with.directory.projects().named(call.path("project"));
  if (project == nullptr) co_return not_there("project", call.path("project"));
  Json items = Json::array();
  for (const GrantRecord& grant : project->grants) items.push_back(view_of(grant, with.directory));
  co_return Answer(page_of(std::move(items), {})).of_version(project->version);
}

Result<GrantRecord> read_grant(const Directory& directory, const Json& body, const std::string& project) {
  if (!body.is_object()) return Error(ErrorKind::kInvalid, "a JSON object is expected");
  Document document(body, "");
  GrantRecord grant;
  std::string subject;
  std::vector<std::string> permissions;
  auto read = document.read("subject", subject);
  if (read) read = document.read("repository", grant.repository);
  if (read) read = document.read("role", grant.role);
  if (read) read = document.read("permissions", permissions);
  if (read) read = document.finish();
  if (!read) return read.error();
  if (grant.role.empty() == permissions.empty()) return document.wrong("role", "either a role or permissions");
  for (const std::string& name : permissions) {
    const auto permission = auth::permission_named(name);
    if (!permission || !auth::kOfProjects.has(*permission))
      return document.wrong("permissions", name + " is none of a project");
    grant.permissions |= auth::Permissions{*permission};
  }
  const bool is_within = grant.repository.empty() || is_pattern_within(project, grant.repository);
  if (!is_within) return document.wrong("repository", "a pattern of repositories of this project: " + project + "/**");
  auto id = subject_id(directory, subject);
  if (!id) return id.error();
  grant.subject = std::move(*id);
  grant.id = new_id('n');
  return grant;
}

/// Nobody grants what he has not got himself.
Result<void> may_grant(const Administration& with, const auth::Visitor& visitor, const std::string& project,
                       const GrantRecord& grant) {
  if (visitor.is_everyone()) return {};
  const auto own = with.directory.policy().allowed_in_project(visitor.who(), project);
  const auto given = grant.role.empty() ? std::optional(grant.permissions) : with.directory.permissions_of(grant.role);
  if (!given) return not_there("role", grant.role);
  if (own.has_all(*given)) return {};
  return Error(ErrorKind::kDenied, "nobody can grant what he may not do himself");
}

Task<Result<Answer>> add_grant(Administration& with, const Call& call) {
  const std::string name = call.path("project");
  auto grant = read_grant(with.directory, call.body(), name);
  if (!grant) co_return grant.error();
  auto may = may_grant(with, call.visitor(), name, *grant);
  if (!may) co_return may.error();
  const Directory::Change<Project> change = [&](Project& project) -> Result<void> {
    const auto is_same = [&](const GrantRecord& each) {
      return each.subject == grant->subject && each.repository == grant->repository && each.role == grant->role &&
             each.permissions == grant->permissions;
    };
    if (std::ranges::any_of(project.grants, is_same)) return already_there("grant", "of that kind");
    project.grants.push_back(*grant);
    return {};
  };
  auto changed = co_await with.directory.change_project(name, std::nullopt, change);
  if (!changed) co_return changed.error();
  co_return Answer(view_of(*grant, with.directory), 201).at("/api/v1/projects/" + name + "/grants/" + grant->id);
}

Task<Result<Answer>> remove_grant(Administration& with, const Call& call) {
  const std::string id = call.path("grant");
  const Directory::Change<Project> change = [&](Project& project) -> Result<void> {
    const auto is_it = [&](const GrantRecord& each) { return each.id == id; };
    if (std::erase_if(project.grants, is_it) == 0) return not_there("grant", id);
    return {};
  };
  auto changed = co_await with.directory.change_project(call.path("project"), std::nullopt, change);
  if (!changed) co_return changed.error();
  co_return Answer::nothing();
}

}  // namespace

void add_project_endpoints(api::Api& api, Administration& with) {
  const Json flag = {{"type", "boolean"}};
  const Json project = api::ref("Project");
  const Json grant = api::ref("Grant");
  api.add_schema("Project", {{"type", "object"},
                             {"properties",
                              {{"id", text_schema()},
                               {"name", text_schema()},
                               {"public", flag},
                               {"created", {{"type", "string"}, {"format", "date-time"}}}}}});
  api.add_schema("Grant",
                 {{"type", "object"},
                  {"properties",
                   {{"id", text_schema()},
                    {"subject", {{"type", "string"}, {"description", "user:NAME, group:NAME or robot:NAME"}}},
                    {"repository", {{"type", "string"}, {"description", "pattern; all of the project when empty"}}},
                    {"role", text_schema()},
                    {"permissions", api::list_of(text_schema())}}}});
  api.add(
      {.method = "GET",
       .path = "/api/v1/projects",
       .id = "listProjects",
       .tag = kProjectTag,
       .summary = "Projects that one has a right in, and public ones",
       .query = paging(),
       .response = {{"type", "object"}, {"properties", {{"items", api::list_of(project)}, {"next", text_schema()}}}},
       .handler = [&with](const Call& call) { return list_projects(with, call); },
       .needs = Needs::login()});
  api.add({.method = "POST",
           .path = "/api/v1/projects",
           .id = "createProject",
           .tag = kProjectTag,
           .summary = "A project: the first part of its repositories' names",
           .request = {{"type", "object"},
                       {"properties", {{"name", text_schema()}, {"public", flag}}},
                       {"required", Json::array({"name"})}},
           .response = project,
           .status = 201,
           .handler = [&with](const Call& call) { return create_project(with, call); },
           .needs = Needs::in_registry(Permission::kCreateProject)});
  api.add({.method = "GET",
           .path = "/api/v1/projects/{project}",
           .id = "getProject",
           .tag = kProjectTag,
           .summary = "One project",
           .response = project,
           .handler = [&with](const Call& call) { return show_project(with, call); },
           .needs = Needs::in_project(Permission::kReadProject)});
  api.add({.method = "PATCH",
           .path = "/api/v1/projects/{project}",
           .id = "changeProject",
           .tag = kProjectTag,
           .summary = "Changes what is named",
           .request = {{"type", "object"}, {"properties", {{"public", flag}}}},
           .response = project,
           .handler = [&with](const Call& call) { return change_project(with, call); },
           .needs = Needs::in_project(Permission::kUpdateProject)});
  api.add({.method = "DELETE",
           .path = "/api/v1/projects/{project}",
           .id = "deleteProject",
           .tag = kProjectTag,
           .summary = "Ends a project with its grants; its repositories stay, for administrators alone",
           .handler = [&with](const Call& call) { return delete_project(with, call); },
           .needs = Needs::in_project(Permission::kDeleteProject)});
  api.add({.method = "GET",
           .path = "/api/v1/projects/{project}/grants",
           .id = "listGrants",
           .tag = kProjectTag,
           .summary = "Who may do what in a project",
           .response = {{"type", "object"}, {"properties", {{"items", api::list_of(grant)}, {"next", text_schema()}}}},
           .handler = [&with](const Call& call) { return list_grants(with, call); },
           .needs = Needs::in_project(Permission::kReadProject)});
  api.add({.method = "POST",
           .path = "/api/v1/projects/{project}/grants",
           .id = "addGrant",
           .tag = kProjectTag,
           .summary = "Grants a role, or permissions, of which one has all oneself",
           .request = grant,
           .response = grant,
           .status = 201,
           .handler = [&with](const Call& call) { return add_grant(with, call); },
           .needs = Needs::in_project(Permission::kManageGrants)});
  api.add({.method = "DELETE",
           .path = "/api/v1/projects/{project}/grants/{grant}",
           .id = "removeGrant",
           .tag = kProjectTag,
           .summary = "Takes a grant back",
           .handler = [&with](const Call& call) { return remove_grant(with, call); },
           .needs = Needs::in_project(Permission::kManageGrants)});
}

}  // namespace wherry::identity
