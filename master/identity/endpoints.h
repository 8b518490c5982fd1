// The endpoints of users, groups, projects, roles, grants and robots.
#pragma once

#include "master/api/api.h"
#include "master/identity/directory.h"
#include "master/identity/logins.h"

namespace wherry::identity {

/// What handlers work with; all of it outlives the API. On its home loop.
struct Administration {
  Directory& directory;
  MasterLogins& logins;
  const Clock& clock;
};

void add_user_endpoints(api::Api& api, Administration& administration);
void add_group_endpoints(api::Api& api, Administration& administration);
void add_project_endpoints(api::Api& api, Administration& administration);
void add_role_endpoints(api::Api& api, Administration& administration);
void add_robot_endpoints(api::Api& api, Administration& administration);

/// `folder`: of the audit log.
void add_audit_endpoints(api::Api& api, Pool& disk, std::string folder);

// What the endpoints share (views.cpp):

api::Json view_of(const User& user);
api::Json view_of(const Group& group, const Directory& directory);
api::Json view_of(const Project& project);
api::Json view_of(const GrantRecord& grant, const Directory& directory);
api::Json view_of(const Role& role);
api::Json view_of(const Robot& robot, const Directory& directory);

/// {"items": [...], "next": "..."}: `next` is the `last` of the page after this one.
api::Json page_of(api::Json items, const std::string& next);
inline constexpr std::uint64_t kMostItems = 1000;

/// "user:alice", "group:testers", "robot:ci" as the id that it has. Errors: kNotFound, kInvalid.
Result<std::string> subject_id(const Directory& directory, const std::string& text);
/// A pattern of repositories of that project: short, and with few stars, for each request to the project is held
/// against it.
bool is_pattern_within(const std::string& project, const std::string& pattern);
std::string subject_text(const Directory& directory, const std::string& id);

api::Json text_schema();
api::Json time_text(const std::optional<WallTime>& time);
std::vector<api::QueryParameter> paging();

}  // namespace wherry::identity
