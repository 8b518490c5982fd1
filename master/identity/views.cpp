// What the endpoints of this room show of records.
#include <algorithm>

#include "common/auth/policy.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {

Json text_schema() { return {{"type", "string"}}; }

Json time_text(const std::optional<WallTime>& time) { return time ? Json(to_rfc3339(*time)) : Json(); }

void Endpoints::add(api::Endpoint endpoint, Work work) {
  endpoint.tag = tag_;
  endpoint.handler = [&with = with_, work](const api::Call& call) { return work(with, call); };
  api_.add(std::move(endpoint));
}

void Endpoints::add(const char* method, const std::string& path, const char* id, const char* summary, api::Needs needs,
                    Json request, Json response, int status, Work work) {
  add({.method = method,
       .path = path,
       .id = id,
       .summary = summary,
       .request = std::move(request),
       .response = std::move(response),
       .status = status,
       .needs = needs},
      work);
}

void Endpoints::add_list(const std::string& path, const char* id, const char* summary, api::Needs needs,
                         const Json& items, Work work) {
  add({.method = "GET",
       .path = path,
       .id = id,
       .summary = summary,
       .query = {{.name = "last", .description = "the name after which the page begins"},
                 {.name = "n", .description = "how many at most", .schema = {{"type", "integer"}}}},
       .response = {{"type", "object"}, {"properties", {{"items", api::list_of(items)}, {"next", text_schema()}}}},
       .needs = needs},
      work);
}

Json page_of(Json items, const std::string& next) {
  Json page = {{"items", std::move(items)}};
  page["next"] = next.empty() ? Json() : Json(next);
  return page;
}

Json view_of(const User& user) {
  return {{"id", user.id},
          {"name", user.name},
          {"source", name_of(user.source)},
          {"mail", user.mail},
          {"administrator", user.administrator},
          {"auditor", user.auditor},
          {"disabled", user.disabled},
          {"must_change_password", user.must_change_password},
          {"created", to_rfc3339(user.created)}};
}

Json view_of(const Group& group, const Directory& directory) {
  Json members = Json::array();
  for (const std::string& id : group.members)
    if (const User* user = directory.users().find(id)) members.push_back(user->name);
  return {{"id", group.id},
          {"name", group.name},
          {"source", name_of(group.source)},
          {"external_name", group.external_name},
          {"members", std::move(members)},
          {"created", to_rfc3339(group.created)}};
}

Json view_of(const Project& project) {
  return {{"id", project.id},
          {"name", project.name},
          {"public", project.is_public},
          {"created", to_rfc3339(project.created)}};
}

Json view_of(const GrantRecord& grant, const Directory& directory) {
  Json view = {{"id", grant.id}, {"subject", subject_text(directory, grant.subject)}, {"repository", grant.repository}};
  if (grant.role.empty())
    view["permissions"] = grant.permissions.names();
  else
    view["role"] = grant.role;
  return view;
}

Json view_of(const Role& role) {
  return {{"name", role.name},
          {"description", role.description},
          {"permissions", role.permissions.names()},
          {"built_in", false}};
}

Json view_of(const Robot& robot, const Directory& directory) {
  const Project* project = directory.projects().find(robot.project);
  Json secrets = Json::array();
  for (const Robot::Secret& secret : robot.secrets)
    secrets.push_back({{"created", to_rfc3339(secret.created)}, {"expires", time_text(secret.expires)}});
  return {{"id", robot.id},
          {"name", robot.name.substr(robot.name.find('+') + 1)},
          {"login", std::string(MasterLogins::kRobotPrefix) + robot.name},
          {"description", robot.description},
          {"project", project == nullptr ? Json() : Json(project->name)},
          {"disabled", robot.disabled},
          {"expires", time_text(robot.expires)},
          {"last_used", time_text(robot.last_used)},
          {"secrets", std::move(secrets)},
          {"created", to_rfc3339(robot.created)}};
}

Result<std::string> subject_id(const Directory& directory, const std::string& text) {
  const auto colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string name = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  const Record* found = nullptr;
  if (kind == "user")
    found = directory.users().named(name);
  else if (kind == "group")
    found = directory.groups().named(name);
  else if (kind == "robot")
    found = directory.robots().named(name);
  else
    return Error(ErrorKind::kInvalid, "subject: user:NAME, group:NAME or robot:NAME");
  if (found == nullptr) return not_there(kind, name);
  return found->id;
}

Result<void> may_grant(const Administration& with, const auth::Visitor& visitor, const std::string& project,
                       const GrantRecord& grant) {
  const auto given = grant.role.empty() ? std::optional(grant.permissions) : with.directory.permissions_of(grant.role);
  if (!given) return not_there("role", grant.role);
  if (visitor.is_everyone() || with.directory.policy().allowed_in_project(visitor.who(), project).has_all(*given))
    return {};
  return Error(ErrorKind::kDenied, "nobody can grant what he may not do himself");
}

Result<auth::Permissions> permissions_named(const std::vector<std::string>& names) {
  auth::Permissions all;
  for (const std::string& name : names) {
    const auto permission = auth::permission_named(name);
    if (!permission || !auth::kOfProjects.has(*permission))
      return Error(ErrorKind::kInvalid, "{} is no permission of a project", name);
    all |= auth::Permissions{*permission};
  }
  return all;
}

bool is_pattern_within(const std::string& project, const std::string& pattern) {
  constexpr std::size_t kMostPatternBytes = 255;
  constexpr std::ptrdiff_t kMostStars = 6;
  return pattern.size() <= kMostPatternBytes && std::ranges::count(pattern, '*') <= kMostStars &&
         auth::project_of(pattern) == project;
}

std::string subject_text(const Directory& directory, const std::string& id) {
  if (const User* user = directory.users().find(id)) return "user:" + user->name;
  if (const Group* group = directory.groups().find(id)) return "group:" + group->name;
  if (const Robot* robot = directory.robots().find(id)) return "robot:" + robot->name;
  return id;
}

}  // namespace wherry::identity
