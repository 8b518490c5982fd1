// The projects, grants and roles of a Directory.
#include <algorithm>

#include "master/identity/directory.h"

namespace wherry::identity {

Result<void> Directory::check_grants(const std::vector<GrantRecord>& grants) const {
  if (grants.size() > kMostGrants)
    return Error(ErrorKind::kTooLarge, "a project has at most {} grants: grant to groups", kMostGrants);
  for (const GrantRecord& grant : grants) {
    if (!grant.role.empty() && !permissions_of(grant.role)) return not_there("role", grant.role);
    if (!auth::kOfProjects.has_all(grant.permissions))
      return Error(ErrorKind::kInvalid, "a grant on a project holds permissions of projects alone");
    if (users_.find(grant.subject) == nullptr && groups_.find(grant.subject) == nullptr &&
        robots_.find(grant.subject) == nullptr)
      return not_there("user, group or robot", grant.subject);
  }
  return {};
}

Result<void> Directory::take_grants_of(Edit& edit, const std::vector<std::string>& subjects) {
  const auto is_of = [&](const GrantRecord& grant) {
    return std::ranges::find(subjects, grant.subject) != subjects.end();
  };
  std::vector<Project> changed;
  projects_.for_each([&](const Project& project) {
    if (std::ranges::any_of(project.grants, is_of)) changed.push_back(project);
  });
  for (Project& project : changed) {
    std::erase_if(project.grants, is_of);
    ++project.version;
    edit.put(projects_, project);
    auto told = tell(edit, project);
    if (!told) return told;
  }
  return {};
}

Task<Result<Project>> Directory::create_project(const Project& wanted) {
  const auto held = co_await changing_.lock();
  auto fits = check_project_name(wanted.name);
  if (fits) fits = check_grants(wanted.grants);
  if (!fits) co_return fits.error();
  auto project = fresh(projects_, "project", 'p', wanted);
  if (!project) co_return project;
  Edit edit;
  edit.put(projects_, *project);
  auto told = tell(edit, *project);
  if (told) told = co_await commit(edit);
  if (!told) co_return told.error();
  co_return project;
}

Task<Result<Project>> Directory::change_project(std::string name, IfVersion version, Change<Project> change) {
  const auto held = co_await changing_.lock();
  auto project = present(projects_, "project", name, version);
  if (!project) co_return project;
  auto changed = change(*project);
  if (changed) changed = check_grants(project->grants);
  if (!changed) co_return changed.error();
  ++project->version;
  Edit edit;
  edit.put(projects_, *project);
  auto told = tell(edit, *project);
  if (told) told = co_await commit(edit);
  if (!told) co_return told.error();
  co_return project;
}

Task<Result<void>> Directory::delete_project(std::string name, IfVersion version) {
  const auto held = co_await changing_.lock();
  auto project = present(projects_, "project", name, version);
  if (!project) co_return project.error();
  Edit edit;
  edit.erase(projects_, *project);
  edit.changes.push_back(feed::Change::project_removed(project->name, clock_.wall()));
  // Its robots go with it, wherever they were granted something.
  std::vector<Robot> robots;
  robots_.for_each([&](const Robot& robot) {
    if (robot.project == project->id) robots.push_back(robot);
  });
  std::vector<std::string> ids;
  for (const Robot& robot : robots) {
    edit.erase(robots_, robot);
    tell_revoked(edit, robot.id);
    ids.push_back(robot.id);
  }
  auto taken = take_grants_of(edit, ids);
  if (!taken) co_return taken;
  co_return co_await commit(edit);
}

Task<Result<Role>> Directory::put_role(const Role& wanted, IfVersion version) {
  const auto held = co_await changing_.lock();
  auto fits = check_login(wanted.name);
  if (!fits) co_return fits.error();
  for (const auth::BuiltInRole& each : auth::built_in_roles())
    if (each.name == wanted.name) co_return already_there("built-in role", wanted.name);
  if (!auth::kOfProjects.has_all(wanted.permissions) || wanted.permissions.empty())
    co_return Error(ErrorKind::kInvalid, "a role is made of permissions of projects");
  Result<Role> role = wanted;
  if (roles_.named(wanted.name) == nullptr) {
    role = fresh(roles_, "role", 'o', wanted);
    if (!role) co_return role;
  } else {
    auto before = present(roles_, "role", wanted.name, version);
    if (!before) co_return before;
    role->id = before->id;
    role->created = before->created;
    role->version = before->version + 1;
  }
  Edit edit;
  edit.put(roles_, *role);
  Result<void> told;
  projects_.for_each([&](const Project& project) {
    const auto uses_it = [&](const GrantRecord& grant) { return grant.role == role->name; };
    if (told && std::ranges::any_of(project.grants, uses_it)) told = tell(edit, project);
  });
  if (told) told = co_await commit(edit);
  if (!told) co_return told.error();
  co_return role;
}

Task<Result<void>> Directory::delete_role(std::string name) {
  const auto held = co_await changing_.lock();
  auto role = present(roles_, "role of your own", name, std::nullopt);
  if (!role) co_return role.error();
  std::string used_by;
  projects_.for_each([&](const Project& project) {
    const auto uses_it = [&](const GrantRecord& grant) { return grant.role == name; };
    if (std::ranges::any_of(project.grants, uses_it)) used_by = project.name;
  });
  if (!used_by.empty())
    co_return Error(ErrorKind::kInvalid, "role {} is granted in project {}: take that back before", name, used_by)
        .with_detail(R"({"status":409})");
  Edit edit;
  edit.erase(roles_, *role);
  co_return co_await commit(edit);
}

}  // namespace wherry::identity
