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

Result<std::vector<Project>> Directory::without_grants_of(Edit& edit, const std::string& subject) const {
  std::vector<Project> changed;
  projects_.for_each([&](const Project& project) {
    const auto is_of = [&](const GrantRecord& grant) { return grant.subject == subject; };
    if (std::ranges::none_of(project.grants, is_of)) return;
    changed.push_back(project);
    std::erase_if(changed.back().grants, is_of);
    ++changed.back().version;
  });
  for (const Project& project : changed) {
    put(edit, project);
    auto told = tell(edit, project);
    if (!told) return told.error();
  }
  return changed;
}

Task<Result<Project>> Directory::create_project(const Project& wanted) {
  const auto held = co_await changing_.lock();
  Project project = wanted;
  auto fits = check_project_name(project.name);
  if (fits) fits = check_grants(project.grants);
  if (!fits) co_return fits.error();
  if (projects_.named(project.name) != nullptr) co_return already_there("project", project.name);
  if (projects_.size() >= kMostOfAKind)
    co_return Error(ErrorKind::kTooLarge, "there are {} projects: no more fit", kMostOfAKind);
  project.id = new_id('p');
  project.version = 1;
  project.created = clock_.wall();
  Edit edit;
  put(edit, project);
  auto told = tell(edit, project);
  if (!told) co_return told.error();
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  projects_.put(project);
  co_return project;
}

Task<Result<Project>> Directory::change_project(std::string name, IfVersion version, Change<Project> change) {
  const auto held = co_await changing_.lock();
  const Project* present = projects_.named(name);
  if (present == nullptr) co_return not_there("project", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same.error();
  Project project = *present;
  auto changed = change(project);
  if (changed) changed = check_grants(project.grants);
  if (!changed) co_return changed.error();
  ++project.version;
  Edit edit;
  put(edit, project);
  auto told = tell(edit, project);
  if (!told) co_return told.error();
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  projects_.put(project);
  co_return project;
}

Task<Result<void>> Directory::delete_project(std::string name, IfVersion version) {
  const auto held = co_await changing_.lock();
  const Project* present = projects_.named(name);
  if (present == nullptr) co_return not_there("project", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same;
  const Project project = *present;
  Edit edit;
  edit.erases.push_back(key_of(project));
  edit.changes.push_back(feed::Change::project_removed(project.name, clock_.wall()));
  // Its robots go with it, wherever they were granted something.
  std::vector<std::string> robots;
  robots_.for_each([&](const Robot& robot) {
    if (robot.project != project.id) return;
    robots.push_back(robot.id);
    edit.erases.push_back(key_of(robot));
    tell_revoked(edit, robot.id);
  });
  std::vector<Project> others;
  Result<void> told;
  projects_.for_each([&](const Project& other) {
    const auto is_of = [&](const GrantRecord& grant) {
      return std::ranges::find(robots, grant.subject) != robots.end();
    };
    if (!told || other.id == project.id || std::ranges::none_of(other.grants, is_of)) return;
    others.push_back(other);
    std::erase_if(others.back().grants, is_of);
    ++others.back().version;
    put(edit, others.back());
    told = tell(edit, others.back());
  });
  if (!told) co_return told;
  auto written = co_await commit(edit);
  if (!written) co_return written;
  projects_.erase(project.id);
  for (const std::string& robot : robots) robots_.erase(robot);
  for (const Project& other : others) projects_.put(other);
  co_return written;
}

Task<Result<Role>> Directory::put_role(const Role& wanted, IfVersion version) {
  const auto held = co_await changing_.lock();
  Role role = wanted;
  auto fits = check_login(role.name);
  if (!fits) co_return fits.error();
  for (const auth::BuiltInRole& each : auth::built_in_roles())
    if (each.name == role.name) co_return already_there("built-in role", role.name);
  if (!auth::kOfProjects.has_all(role.permissions) || role.permissions.empty())
    co_return Error(ErrorKind::kInvalid, "a role is made of permissions of projects");
  const Role* present = roles_.named(role.name);
  if (present != nullptr) {
    auto is_same = check_version(*present, version);
    if (!is_same) co_return is_same.error();
  }
  role.id = present == nullptr ? new_id('o') : present->id;
  role.version = present == nullptr ? 1 : present->version + 1;
  role.created = present == nullptr ? clock_.wall() : present->created;
  const std::optional<Role> before = present == nullptr ? std::nullopt : std::optional(*present);
  roles_.put(role);  // so that the projects' documents are of it
  Edit edit;
  put(edit, role);
  Result<void> told;
  projects_.for_each([&](const Project& project) {
    const auto uses_it = [&](const GrantRecord& grant) { return grant.role == role.name; };
    if (told && std::ranges::any_of(project.grants, uses_it)) told = tell(edit, project);
  });
  Result<void> written = told;
  if (told) written = co_await commit(edit);
  if (written) co_return role;
  before ? roles_.put(*before) : roles_.erase(role.id);
  co_return written.error();
}

Task<Result<void>> Directory::delete_role(std::string name) {
  const auto held = co_await changing_.lock();
  const Role* role = roles_.named(name);
  if (role == nullptr) co_return not_there("role of your own", name);
  std::string used_by;
  projects_.for_each([&](const Project& project) {
    const auto uses_it = [&](const GrantRecord& grant) { return grant.role == name; };
    if (std::ranges::any_of(project.grants, uses_it)) used_by = project.name;
  });
  if (!used_by.empty())
    co_return Error(ErrorKind::kInvalid, "role {} is granted in project {}: take that back before", name, used_by)
        .with_detail(R"({"status":409})");
  const std::string id = role->id;
  Edit edit;
  edit.erases.push_back(key_of(*role));
  auto written = co_await commit(edit);
  if (written) roles_.erase(id);
  co_return written;
}

}  // namespace wherry::identity
