// Permissions: what somebody may do, one by one, and the roles that name usual sets of them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::auth {

/// The values are bits; they are not stored (names are).
enum class Permission : std::uint32_t {
  // Of a repository:
  kList = 1U << 0,       ///< see it in lists, and its tags
  kPull = 1U << 1,       ///< read manifests, blobs, referrers
  kPush = 1U << 2,       ///< upload blobs, put manifests, set tags that are not there yet
  kOverwrite = 1U << 3,  ///< move tags that are there
  kDelete = 1U << 4,     ///< manifests, tags, blobs
  // Of a project:
  kReadProject = 1U << 5,    ///< its settings and grants
  kUpdateProject = 1U << 6,  ///< its settings, retention
  kManageRobots = 1U << 7,   ///< that have rights in no other project
  kManageGrants = 1U << 8,   ///< who may do what in it
  kDeleteProject = 1U << 9,
  // Of the whole registry:
  kCreateProject = 1U << 10,
  kReadUsers = 1U << 11,    ///< and groups, roles, robots
  kManageUsers = 1U << 12,  ///< and groups, roles, all robots
  kReadAudit = 1U << 13,
  kReadSystem = 1U << 14,  ///< nodes, replication, policies
  kManageSystem = 1U << 15,
};

/// A set of them.
class Permissions {
 public:
  constexpr Permissions() = default;
  constexpr Permissions(std::initializer_list<Permission> all) {
    for (const Permission each : all) bits_ |= static_cast<std::uint32_t>(each);
  }
  static constexpr Permissions all() { return Permissions(0xffff); }

  constexpr bool has(Permission one) const { return (bits_ & static_cast<std::uint32_t>(one)) != 0; }
  constexpr bool has_all(Permissions others) const { return (bits_ & others.bits_) == others.bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr Permissions operator|(Permissions other) const { return Permissions(bits_ | other.bits_); }
  constexpr Permissions operator&(Permissions other) const { return Permissions(bits_ & other.bits_); }
  constexpr Permissions& operator|=(Permissions other) {
    bits_ |= other.bits_;
    return *this;
  }
  constexpr bool operator==(const Permissions&) const = default;

  /// Their names, e.g. "repository.pull", in the order of the enumeration.
  std::vector<std::string> names() const;

 private:
  explicit constexpr Permissions(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

/// "repository.pull" and so on; nothing for a name that is none.
std::optional<Permission> permission_named(std::string_view name);
std::string_view name_of(Permission permission);

/// What a custom role of a project may be made of.
inline constexpr Permissions kOfProjects{
    Permission::kList,         Permission::kPull,         Permission::kPush,          Permission::kOverwrite,
    Permission::kDelete,       Permission::kReadProject,  Permission::kUpdateProject, Permission::kManageRobots,
    Permission::kManageGrants, Permission::kDeleteProject};

/// A role that is always there.
struct BuiltInRole {
  std::string_view name;
  std::string_view meaning;
  Permissions permissions;
};
/// guest, puller, developer, maintainer, administrator: each may be granted on a project or on repositories of it.
std::span<const BuiltInRole> built_in_roles();

/// Of the whole registry, held by users themselves.
inline constexpr Permissions kSystemAdministrator = Permissions::all();
inline constexpr Permissions kAuditor{Permission::kList, Permission::kReadProject, Permission::kReadUsers,
                                      Permission::kReadAudit, Permission::kReadSystem};

}  // namespace wherry::auth
