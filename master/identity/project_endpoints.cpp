// /api/v1/projects and their grants
#include <algorithm>

#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::document_of;
using api::Needs;
using auth::Permission;

/// Those that somebody may know of.
Task<Result<Answer>> list_projects(Administration& with, const Call& call) {
  const auth::Visitor& visitor = call.visitor();
  const auto may_see = [&](const Project& project) {
    return project.is_public || visitor.is_everyone() ||
           !with.directory.policy().allowed_in_project(visitor.who(), project.name).empty();
  };
  co_return page_of(with.directory.projects(), call, may_see, [](const Project& project) { return view_of(project); });
}

Task<Result<Answer>> show_project(Administration& with, const Call& call) {
  const Project* project = with.directory.projects().named(call.path("project"));
  if (project == nullptr) co_return not_there("project", call.path("project"));
  co_return Answer(view_of(*project)).of_version(project->version);
}

/// Who makes a project is its administrator, where he is not one of everything.
Task<Result<Answer>> create_project(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  Project project;
  auto read = document->read("name", project.name);
  if (read) read = document->read("public", project.is_public);
  if (read) read = document->finish();
  if (!read) co_return read.error();
  auto made = co_await with.directory.create_project(project);
  if (!made) co_return made.error();
  co_return Answer(view_of(*made), 201).at("/api/v1/projects/" + made->name).of_version(made->version);
}

Task<Result<Answer>> change_project(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  auto version = call.if_version();
  if (!version) co_return version.error();
  // To let everybody pull is to grant.
  const bool may_publish =
      call.visitor().may_in_project(Permission::kManageGrants, call.path("project")) == auth::Visitor::May::kYes;
  const Directory::Change<Project> change = [&](Project& project) -> Result<void> {
    const bool was_public = project.is_public;
    auto read = document->read("public", project.is_public);
    if (read && project.is_public != was_public && !may_publish)
      return Error(ErrorKind::kDenied, "to say who may pull takes {}", auth::name_of(Permission::kManageGrants));
    return read ? document->finish() : read;
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

Result<GrantRecord> read_grant(const Directory& directory, const Call& call, const std::string& project) {
  auto document = document_of(call);
  if (!document) return document.error();
  GrantRecord grant;
  std::string subject;
  std::vector<std::string> permissions;
  auto read = document->read("subject", subject);
  if (read) read = document->read("repository", grant.repository);
  if (read) read = document->read("role", grant.role);
  if (read) read = document->read("permissions", permissions);
  if (read) read = document->finish();
  if (!read) return read.error();
  if (grant.role.empty() == permissions.empty()) return document->wrong("role", "either a role or permissions");
  auto named = permissions_named(permissions);
  if (!named) return document->wrong("permissions", named.error().message());
  grant.permissions = *named;
  const bool is_within = grant.repository.empty() || is_pattern_within(project, grant.repository);
  if (!is_within) return document->wrong("repository", "a pattern of repositories of this project: " + project + "/**");
  auto id = subject_id(directory, subject);
  if (!id) return id.error();
  grant.subject = std::move(*id);
  grant.id = new_id('n');
  return grant;
}

Task<Result<Answer>> add_grant(Administration& with, const Call& call) {
  const std::string name = call.path("project");
  auto grant = read_grant(with.directory, call, name);
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
  const std::string one = "/api/v1/projects/{project}";
  Endpoints all(api, with, "projects");
  all.add_list("/api/v1/projects", "listProjects", "Projects that one has a right in, and public ones", Needs::login(),
               project, list_projects);
  all.add("POST", "/api/v1/projects", "createProject", "A project: the first part of its repositories' names",
          Needs::in_registry(Permission::kCreateProject),
          {{"type", "object"},
           {"properties", {{"name", text_schema()}, {"public", flag}}},
           {"required", Json::array({"name"})}},
          project, 201, create_project);
  all.add("GET", one, "getProject", "One project", Needs::in_project(Permission::kReadProject), {}, project, 200,
          show_project);
  all.add("PATCH", one, "changeProject", "Changes what is named", Needs::in_project(Permission::kUpdateProject),
          {{"type", "object"}, {"properties", {{"public", flag}}}}, project, 200, change_project);
  all.add("DELETE", one, "deleteProject",
          "Ends a project with its grants and robots; its repositories stay, for administrators alone",
          Needs::in_project(Permission::kDeleteProject), {}, {}, 204, delete_project);
  all.add_list(one + "/grants", "listGrants", "Who may do what in a project",
               Needs::in_project(Permission::kReadProject), grant, list_grants);
  all.add("POST", one + "/grants", "addGrant", "Grants a role, or permissions, of which one has all oneself",
          Needs::in_project(Permission::kManageGrants), grant, grant, 201, add_grant);
  all.add("DELETE", one + "/grants/{grant}", "removeGrant", "Takes a grant back",
          Needs::in_project(Permission::kManageGrants), {}, {}, 204, remove_grant);
}

}  // namespace wherry::identity
