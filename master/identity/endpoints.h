// The endpoints of users, groups, projects, roles, grants and robots.
#pragma once

#include "common/async/pool.h"
#include "master/api/api.h"
#include "master/identity/directory.h"
#include "master/identity/logins.h"

namespace wherry::identity {

/// What handlers work with; all of it outlives the API. On its home loop.
struct Administration {
  Directory& directory;
  MasterLogins& logins;
  const Clock& clock;
  Pool& disk;
  std::string initial_password_file;  ///< of the first administrator; it goes once that is changed
};

/// Adds the endpoints of one tag, which have their work done by functions of this form.
class Endpoints {
 public:
  using Work = Task<Result<api::Answer>> (*)(Administration&, const api::Call&);
  Endpoints(api::Api& api, Administration& with, std::string tag) : api_(api), with_(with), tag_(std::move(tag)) {}

  /// `response`: of what it answers with `status`; null: nothing (204).
  void add(const char* method, const std::string& path, const char* id, const char* summary, api::Needs needs,
           api::Json request, api::Json response, int status, Work work);
  /// GET of a page of `items`.
  void add_list(const std::string& path, const char* id, const char* summary, api::Needs needs, const api::Json& items,
                Work work);

 private:
  void add(api::Endpoint endpoint, Work work);
  api::Api& api_;
  Administration& with_;
  const std::string tag_;
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
/// The page of a table that a call asks for (`last`, `n`), of those records that are `wanted`, as `view` shows them.
template <class T, class Wanted, class View>
Result<api::Answer> page_of(const Table<T>& table, const api::Call& call, Wanted wanted, View view) {
  auto limit = call.number("n", kMostItems, 1, kMostItems);
  if (!limit) return limit.error();
  const auto page = table.page(call.query("last").value_or(""), *limit, wanted);
  api::Json items = api::Json::array();
  for (const T* record : page.records) items.push_back(view(*record));
  std::string next;
  if (page.more) next = page.records.back()->name;
  return api::Answer(page_of(std::move(items), next));
}

/// "user:alice", "group:testers", "robot:ci" as the id that it has. Errors: kNotFound, kInvalid.
Result<std::string> subject_id(const Directory& directory, const std::string& text);
/// Nobody grants what he may not do himself. Errors: kDenied, kNotFound for a role that is none.
Result<void> may_grant(const Administration& with, const auth::Visitor& visitor, const std::string& project,
                       const GrantRecord& grant);
/// Permissions of projects by their names. Errors: kInvalid, naming the one that is none.
Result<auth::Permissions> permissions_named(const std::vector<std::string>& names);
/// A pattern of repositories of that project: short, and with few stars, for each request to the project is held
/// against it.
bool is_pattern_within(const std::string& project, const std::string& pattern);
std::string subject_text(const Directory& directory, const std::string& id);

api::Json text_schema();
api::Json time_text(const std::optional<WallTime>& time);

}  // namespace wherry::identity
