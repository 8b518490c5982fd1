// /api/v1/projects/{project}/robots: machines that log in.
#include <algorithm>

#include "common/auth/password_hash.h"
#include "common/auth/signed_request.h"
#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::document_of;
using api::Needs;
using auth::Permission;

constexpr std::int64_t kMostDays = 3650;
constexpr std::int64_t kMostOverlapHours = 24 * 30;

/// "project+name": who may see one project learns nothing of the robots of another.
std::string whole_name(const std::string& project, const std::string& name) { return project + "+" + name; }

/// Of the project that the path names; nothing else can be reached by its name.
const Robot* robot_of(const Administration& with, const Call& call) {
  const Project* project = with.directory.projects().named(call.path("project"));
  const Robot* robot = with.directory.robots().named(whole_name(call.path("project"), call.path("name")));
  return project != nullptr && robot != nullptr && robot->project == project->id ? robot : nullptr;
}

Error no_robot(const Call& call) { return not_there("robot of this project", call.path("name")); }

/// Whoever has a robot's secret is that robot: nobody takes over one that may more than he may himself.
Result<void> may_take(const Administration& with, const auth::Visitor& visitor, const Robot& robot) {
  if (visitor.is_everyone()) return {};
  bool covers_all = true;
  with.directory.projects().for_each([&](const Project& project) {
    auth::Permissions given;
    for (const GrantRecord& grant : project.grants)
      if (grant.subject == robot.id)
        given |= grant.role.empty() ? grant.permissions
                                    : with.directory.permissions_of(grant.role).value_or(auth::Permissions());
    covers_all = covers_all && with.directory.policy().allowed_in_project(visitor.who(), project.name).has_all(given);
  });
  if (covers_all) return {};
  return Error(ErrorKind::kDenied, "this robot may more than you may: who could grant that has to do it");
}

Task<Result<Answer>> list_robots(Administration& with, const Call& call) {
  const Project* project = with.directory.projects().named(call.path("project"));
  if (project == nullptr) co_return not_there("project", call.path("project"));
  const auto is_its = [&](const Robot& robot) { return robot.project == project->id; };
  co_return page_of(with.directory.robots(), call, is_its,
                    [&](const Robot& robot) { return view_of(robot, with.directory); });
}

Task<Result<Answer>> show_robot(Administration& with, const Call& call) {
  const Robot* robot = robot_of(with, call);
  if (robot == nullptr) co_return no_robot(call);
  co_return Answer(view_of(*robot, with.directory)).of_version(robot->version);
}

Robot::Secret secret_of(const std::string& text, WallTime now) {
  return {.hash = auth::secret_hash_of(text), .created = now, .expires = std::nullopt};
}

Task<Result<Answer>> create_robot(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  const Project* project = with.directory.projects().named(call.path("project"));
  if (project == nullptr) co_return not_there("project", call.path("project"));
  Robot robot;
  robot.project = project->id;
  GrantRecord grant;
  std::vector<std::string> permissions;
  std::int64_t days = 0;
  auto read = document->read("name", robot.name);
  if (read) read = document->read("description", robot.description);
  if (read) read = document->read("role", grant.role);
  if (read) read = document->read("permissions", permissions);
  if (read) read = document->read("repository", grant.repository);
  if (read) read = document->read("expires_in_days", 1, kMostDays, days);
  if (read) read = document->finish();
  if (!read) co_return read.error();
  auto named = permissions_named(permissions);
  if (!named) co_return document->wrong("permissions", named.error().message());
  grant.permissions = *named;
  if (grant.role.empty() == permissions.empty()) co_return document->wrong("role", "either a role or permissions");
  if (!grant.repository.empty() && !is_pattern_within(project->name, grant.repository))
    co_return document->wrong("repository", "a pattern of repositories of this project");
  auto may = may_grant(with, call.visitor(), project->name, grant);
  if (!may) co_return may.error();
  auto fits = check_login(robot.name);
  if (!fits) co_return document->wrong("name", fits.error().message());
  robot.name = whole_name(project->name, robot.name);
  const WallTime now = with.clock.wall();
  if (days > 0) robot.expires = now + std::chrono::days(days);
  const std::string secret = auth::random_secret();
  robot.secrets.push_back(secret_of(secret, now));
  std::vector<GrantRecord> grants;
  grants.push_back(std::move(grant));
  auto made = co_await with.directory.create_robot(robot, grants);
  if (!made) co_return made.error();
  Json view = view_of(*made, with.directory);
  view["secret"] = secret;
  co_return Answer(std::move(view), 201)
      .at("/api/v1/projects/" + call.path("project") + "/robots/" + made->name.substr(made->name.find('+') + 1))
      .of_version(made->version);
}

Task<Result<Answer>> change_robot(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  if (robot_of(with, call) == nullptr) co_return no_robot(call);
  auto version = call.if_version();
  if (!version) co_return version.error();
  const Directory::Change<Robot> change = [&](Robot& robot) -> Result<void> {
    auto may = may_take(with, call.visitor(), robot);
    if (!may) return may;
    auto read = document->read("description", robot.description);
    if (read) read = document->read("disabled", robot.disabled);
    return read ? document->finish() : read;
  };
  auto changed =
      co_await with.directory.change_robot(whole_name(call.path("project"), call.path("name")), *version, change);
  if (!changed) co_return changed.error();
  co_return Answer(view_of(*changed, with.directory)).of_version(changed->version);
}

Task<Result<Answer>> delete_robot(Administration& with, const Call& call) {
  if (robot_of(with, call) == nullptr) co_return no_robot(call);
  auto gone = co_await with.directory.delete_robot(whole_name(call.path("project"), call.path("name")));
  if (!gone) co_return gone.error();
  co_return Answer::nothing();
}

/// A new secret; those of before go on for a while, so that whoever uses them can change.
Task<Result<Answer>> rotate_secret(Administration& with, const Call& call) {
  if (robot_of(with, call) == nullptr) co_return no_robot(call);
  std::int64_t hours = 0;
  if (!call.body().is_null()) {
    auto document = document_of(call);
    if (!document) co_return document.error();
    auto read = document->read("overlap_hours", 0, kMostOverlapHours, hours);
    if (read) read = document->finish();
    if (!read) co_return read.error();
  }
  const WallTime now = with.clock.wall();
  const std::string secret = auth::random_secret();
  const Directory::Change<Robot> change = [&](Robot& robot) -> Result<void> {
    auto may = may_take(with, call.visitor(), robot);
    if (!may) return may;
    const WallTime until = now + std::chrono::hours(hours);
    for (Robot::Secret& each : robot.secrets) each.expires = each.expires ? std::min(*each.expires, until) : until;
    std::erase_if(robot.secrets, [&](const Robot::Secret& each) { return *each.expires <= now; });
    robot.secrets.push_back(secret_of(secret, now));
    if (robot.secrets.size() <= Robot::kMostSecrets) return {};
    return Error(ErrorKind::kInvalid, "{} has {} secrets that still hold: rotate with less overlap", robot.name,
                 robot.secrets.size() - 1);
  };
  auto changed =
      co_await with.directory.change_robot(whole_name(call.path("project"), call.path("name")), std::nullopt, change);
  if (!changed) co_return changed.error();
  Json view = view_of(*changed, with.directory);
  view["secret"] = secret;
  co_return Answer(std::move(view)).of_version(changed->version);
}

}  // namespace

void add_robot_endpoints(api::Api& api, Administration& with) {
  const std::string place = "/api/v1/projects/{project}/robots";
  const std::string one = place + "/{name}";
  const Json robot = api::ref("Robot");
  const Needs manage = Needs::in_project(Permission::kManageRobots);
  api.add_schema("Robot", {{"type", "object"},
                           {"properties",
                            {{"name", text_schema()},
                             {"login", text_schema()},
                             {"description", text_schema()},
                             {"disabled", {{"type", "boolean"}}},
                             {"expires", {{"type", Json::array({"string", "null"})}}},
                             {"last_used", {{"type", Json::array({"string", "null"})}}},
                             {"secret", {{"type", "string"}, {"description", "told once"}}}}}});
  Endpoints all(api, with, "robots");
  all.add_list(place, "listRobots", "The robots of a project", manage, robot, list_robots);
  all.add("POST", place, "createRobot", "A robot; its secret is told once", manage,
          {{"type", "object"},
           {"properties",
            {{"name", text_schema()},
             {"description", text_schema()},
             {"role", text_schema()},
             {"permissions", api::list_of(text_schema())},
             {"repository", text_schema()},
             {"expires_in_days", {{"type", "integer"}}}}},
           {"required", Json::array({"name"})}},
          robot, 201, create_robot);
  all.add("GET", one, "getRobot", "One robot", manage, {}, robot, 200, show_robot);
  all.add("PATCH", one, "changeRobot", "Changes what is named", manage,
          {{"type", "object"}, {"properties", {{"description", text_schema()}, {"disabled", {{"type", "boolean"}}}}}},
          robot, 200, change_robot);
  all.add("DELETE", one, "deleteRobot", "Ends a robot with its grants", manage, {}, {}, 204, delete_robot);
  all.add("POST", one + "/secrets", "rotateSecret", "A new secret, told once; those of before hold for the overlap",
          manage, {{"type", "object"}, {"properties", {{"overlap_hours", {{"type", "integer"}}}}}}, robot, 200,
          rotate_secret);
}

}  // namespace wherry::identity
