#include "common/auth/permissions.h"

#include <algorithm>
#include <array>
#include <utility>

namespace wherry::auth {
namespace {

using enum Permission;

constexpr std::array<std::pair<Permission, std::string_view>, 16> kNames{{
    {kList, "repository.list"},
    {kPull, "repository.pull"},
    {kPush, "repository.push"},
    {kOverwrite, "tag.overwrite"},
    {kDelete, "repository.delete"},
    {kReadProject, "project.read"},
    {kUpdateProject, "project.update"},
    {kManageRobots, "robot.manage"},
    {kManageGrants, "grant.manage"},
    {kDeleteProject, "project.delete"},
    {kCreateProject, "project.create"},
    {kReadUsers, "user.read"},
    {kManageUsers, "user.manage"},
    {kReadAudit, "audit.read"},
    {kReadSystem, "system.read"},
    {kManageSystem, "system.manage"},
}};

constexpr Permissions kGuest{kList, kPull};
constexpr Permissions kPuller{kPull};
constexpr Permissions kDeveloper{kList, kPull, kPush, kOverwrite, kReadProject};
constexpr Permissions kMaintainer = kDeveloper | Permissions{kDelete, kUpdateProject, kManageRobots};

constexpr std::array<BuiltInRole, 5> kRoles{{
    {"guest", "sees and pulls what is there", kGuest},
    {"puller", "pulls what it knows the name of: for machines", kPuller},
    {"developer", "pulls and pushes", kDeveloper},
    {"maintainer", "also deletes, and sets retention and robots", kMaintainer},
    {"administrator", "also says who may do what in the project", kOfProjects},
}};

}  // namespace

std::vector<std::string> Permissions::names() const {
  std::vector<std::string> names;
  for (const auto& [permission, name] : kNames)
    if (has(permission)) names.emplace_back(name);
  return names;
}

std::optional<Permission> permission_named(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, [](const auto& each) { return each.second; });
  if (found == kNames.end()) return std::nullopt;
  return found->first;
}

std::string_view name_of(Permission permission) {
  return std::ranges::find(kNames, permission, [](const auto& each) { return each.first; })->second;
}

std::span<const BuiltInRole> built_in_roles() { return kRoles; }

}  // namespace wherry::auth
