// login, user, group, project, role, robot and grant: thin clients of the API.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "common/async/sleep.h"
#include "common/config/text.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"
#include "master/cli/commands.h"
#include "master/cli/server_command.h"
#include "master/cli/session_file.h"

namespace wherry::master {
namespace {

using api::Json;

constexpr std::size_t kIdentityCellBytes = 80;

struct IdentityOptions : ServerOptions {
  std::string name;
  std::string other;
  std::string subject;
  std::string role;
  std::string repository;
  std::string description;
  std::string mail;
  std::string source;
  std::string external_name;
  std::string new_password_file;
  std::vector<std::string> permissions;
  std::uint64_t days = 0;
  std::uint64_t overlap_hours = 0;
  bool is_public = false;
  bool administrator = false;
  bool auditor = false;
  bool no = false;
  bool oidc = false;
  bool disabled = false;
  bool enabled = false;
};

std::string part(const std::string& text) { return "/" + http::percent_encode(text); }

std::string cell(const Json& value) {
  if (value.is_string()) return printable(value.get<std::string>(), kIdentityCellBytes);
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "-";
  if (!value.is_array()) return printable(value.dump(), kIdentityCellBytes);
  std::string text;
  for (const Json& each : value) text += (text.empty() ? "" : ",") + cell(each);
  return text;
}

/// A table of all pages of a list.
Task<int> list(const IdentityOptions& options, std::string path, std::vector<std::string> members) {
  ApiClient client(options);
  Json all = Json::array();
  for (std::string last;;) {
    const std::string asked = last.empty() ? path : path + "?last=" + http::percent_encode(last);
    auto page = co_await client.ask("GET", asked);
    if (!page) co_return failed("", page.error());
    if (!page->is_object() || !page->contains("items")) break;
    for (const Json& item : (*page)["items"]) all.push_back(item);
    if (!page->contains("next") || !(*page)["next"].is_string()) break;
    last = (*page)["next"].get<std::string>();
  }
  if (options.json) {
    print_json(all);
    co_return 0;
  }
  std::vector<std::string> heads;
  for (std::string head : members) {
    for (char& c : head) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    heads.push_back(std::move(head));
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& item : all) {
    rows.emplace_back();
    for (const std::string& member : members)
      rows.back().push_back(item.contains(member) ? cell(item[member]) : std::string("-"));
  }
  print(text_table(heads, rows));
  co_return 0;
}

Task<int> change(const IdentityOptions& options, std::string method, std::string path, Json document,
                 std::string done) {
  ApiClient client(options);
  auto answer = co_await client.ask(std::move(method), std::move(path), std::move(document));
  if (!answer) co_return failed("", answer.error());
  if (options.json)
    print_json(*answer);
  else
    print(done + "\n");
  co_return 0;
}

/// What is told once goes to standard output alone, so that a script can take it.
Task<int> tell_secret(const IdentityOptions& options, std::string path, Json document) {
  ApiClient client(options);
  auto answer = co_await client.ask("POST", std::move(path), std::move(document));
  if (!answer) co_return failed("", answer.error());
  if (options.json)
    print_json(*answer);
  else
    print(answer->value("login", std::string()) + " " + answer->value("secret", std::string()) + "\n");
  co_return 0;
}

/// Shows what is to be typed in at the provider, and waits until it was.
Task<Result<std::string>> log_in_elsewhere(const IdentityOptions& options) {
  constexpr std::int64_t kLongestInterval = 60;
  ServerOptions nobody = options;
  nobody.is_nobody = true;
  ApiClient client(nobody);
  auto begun = co_await client.ask("POST", "/wherry/v1/login/device");
  if (!begun) co_return begun.error();
  std::fprintf(stderr, "Open %s and type in %s\n", cell((*begun)["verification_uri"]).c_str(),
               cell((*begun)["user_code"]).c_str());
  const Json handle = {{"handle", (*begun)["handle"]}};
  while (true) {
    const auto interval = std::clamp<std::int64_t>(begun->value("interval", std::int64_t{5}), 1, kLongestInterval);
    co_await sleep_for(std::chrono::seconds(interval));
    auto polled = co_await client.ask("POST", "/wherry/v1/login/device/poll", handle);
    if (!polled) co_return polled.error();
    if (polled->contains("refresh_token")) co_return (*polled)["refresh_token"].get<std::string>();
    if (polled->contains("interval")) (*begun)["interval"] = (*polled)["interval"];
  }
}

Task<int> log_in(const IdentityOptions& options) {
  if (options.oidc) {
    auto token = co_await log_in_elsewhere(options);
    auto file = SessionFile::of_this_person();
    Result<void> kept;
    if (!token)
      kept = token.error();
    else if (!file)
      kept = file.error();
    else
      kept = file->keep(options.server, "by the provider", *token);
    if (!kept) co_return failed("login", kept.error());
    print("logged in to " + options.server + "; kept in " + file->path() + "\n");
    co_return 0;
  }
  auto password = read_password(options.password_file, "password of " + options.user);
  if (!password) co_return failed("login", password.error());
  ApiClient client(options);
  auto token = co_await client.log_in(options.user, std::move(*password));
  if (!token) co_return failed("login", token.error());
  auto file = SessionFile::of_this_person();
  if (!file) co_return failed("login", file.error());
  auto kept = file->keep(options.server, options.user, *token);
  if (!kept) co_return failed("login", kept.error());
  print("logged in to " + options.server + " as " + options.user + "; kept in " + file->path() + "\n");
  co_return 0;
}

Task<int> log_out(const IdentityOptions& options) {
  auto file = SessionFile::of_this_person();
  auto gone = file ? file->forget(options.server) : Result<void>(file.error());
  if (!gone) co_return failed("logout", gone.error());
  print("logged out of " + options.server + "\n");
  co_return 0;
}

Task<int> who_am_i(const IdentityOptions& options) {
  ApiClient client(options);
  auto me = co_await client.ask("GET", "/api/v1/me");
  if (!me) co_return failed("whoami", me.error());
  options.json ? print_json(*me) : print(cell((*me)["name"]) + "\n");
  co_return 0;
}

Task<int> list_users(const IdentityOptions& options) {
  return list(options, "/api/v1/users", {"name", "source", "administrator", "auditor", "disabled", "mail"});
}
Task<int> add_user(const IdentityOptions& options) {
  auto password = read_password(options.new_password_file, "password for " + options.name);
  if (!password) co_return failed("user", password.error());
  const Json document = {{"name", options.name}, {"mail", options.mail}, {"password", *password}};
  co_return co_await change(options, "POST", "/api/v1/users", document, "user " + options.name + " is there");
}
Task<int> set_user(const IdentityOptions& options) {
  Json document = Json::object();
  if (options.administrator) document["administrator"] = !options.no;
  if (options.auditor) document["auditor"] = !options.no;
  if (options.disabled || options.enabled) document["disabled"] = options.disabled;
  if (!options.mail.empty()) document["mail"] = options.mail;
  return change(options, "PATCH", "/api/v1/users" + part(options.name), std::move(document),
                "user " + options.name + " is changed");
}
Task<int> set_password(const IdentityOptions& options) {
  ServerOptions nobody = options;  // one's own password is shown with the request itself
  Json document = Json::object();
  const bool is_own = options.user.empty() || options.user == options.name;
  if (is_own) {
    auto old_password = read_password(options.password_file, "present password of " + options.name);
    if (!old_password) co_return failed("user", old_password.error());
    document["old_password"] = *old_password;
    nobody.user.clear();
    nobody.is_nobody = true;
  }
  auto new_password = read_password(options.new_password_file, "new password of " + options.name);
  if (!new_password) co_return failed("user", new_password.error());
  document["new_password"] = *new_password;
  ApiClient client(nobody);
  auto answer = co_await client.ask("PUT", "/api/v1/users" + part(options.name) + "/password", std::move(document));
  if (!answer) co_return failed("user", answer.error());
  print("the password of " + options.name + " is changed\n");
  co_return 0;
}
Task<int> log_user_out(const IdentityOptions& options) {
  return change(options, "POST", "/api/v1/users" + part(options.name) + "/logout", {},
                "user " + options.name + " is logged out everywhere");
}
Task<int> remove_user(const IdentityOptions& options) {
  return change(options, "DELETE", "/api/v1/users" + part(options.name), {}, "user " + options.name + " is gone");
}

Task<int> list_groups(const IdentityOptions& options) {
  return list(options, "/api/v1/groups", {"name", "source", "external_name", "members"});
}
Task<int> add_group(const IdentityOptions& options) {
  Json document = {{"name", options.name}};
  if (!options.source.empty()) document["source"] = options.source;
  if (!options.external_name.empty()) document["external_name"] = options.external_name;
  return change(options, "POST", "/api/v1/groups", std::move(document), "group " + options.name + " is there");
}
Task<int> add_member(const IdentityOptions& options) {
  return change(options, "PUT", "/api/v1/groups" + part(options.name) + "/members" + part(options.other), {},
                options.other + " is in " + options.name);
}
Task<int> remove_member(const IdentityOptions& options) {
  return change(options, "DELETE", "/api/v1/groups" + part(options.name) + "/members" + part(options.other), {},
                options.other + " is not in " + options.name + " any more");
}
Task<int> remove_group(const IdentityOptions& options) {
  return change(options, "DELETE", "/api/v1/groups" + part(options.name), {}, "group " + options.name + " is gone");
}

Task<int> list_projects(const IdentityOptions& options) {
  return list(options, "/api/v1/projects", {"name", "public", "created"});
}
Task<int> add_project(const IdentityOptions& options) {
  const Json document = {{"name", options.name}, {"public", options.is_public}};
  return change(options, "POST", "/api/v1/projects", document, "project " + options.name + " is there");
}
Task<int> set_project(const IdentityOptions& options) {
  const Json document = {{"public", !options.no}};
  return change(options, "PATCH", "/api/v1/projects" + part(options.name), document,
                "project " + options.name + (options.no ? " is private" : " is public"));
}
Task<int> remove_project(const IdentityOptions& options) {
  return change(options, "DELETE", "/api/v1/projects" + part(options.name), {}, "project " + options.name + " is gone");
}

Task<int> list_roles(const IdentityOptions& options) {
  return list(options, "/api/v1/roles", {"name", "built_in", "permissions", "description"});
}
Task<int> put_role(const IdentityOptions& options) {
  const Json document = {{"description", options.description}, {"permissions", options.permissions}};
  return change(options, "PUT", "/api/v1/roles" + part(options.name), document, "role " + options.name + " counts");
}
Task<int> remove_role(const IdentityOptions& options) {
  return change(options, "DELETE", "/api/v1/roles" + part(options.name), {}, "role " + options.name + " is gone");
}

std::string grants_of(const IdentityOptions& options) { return "/api/v1/projects" + part(options.name) + "/grants"; }
Task<int> list_grants(const IdentityOptions& options) {
  return list(options, grants_of(options), {"id", "subject", "role", "permissions", "repository"});
}
Task<int> add_grant(const IdentityOptions& options) {
  Json document = {{"subject", options.subject}};
  if (!options.role.empty()) document["role"] = options.role;
  if (!options.permissions.empty()) document["permissions"] = options.permissions;
  if (!options.repository.empty()) document["repository"] = options.repository;
  return change(options, "POST", grants_of(options), std::move(document), "granted to " + options.subject);
}
Task<int> remove_grant(const IdentityOptions& options) {
  return change(options, "DELETE", grants_of(options) + part(options.other), {}, "taken back");
}

std::string robots_of(const IdentityOptions& options) { return "/api/v1/projects" + part(options.name) + "/robots"; }
Task<int> list_robots(const IdentityOptions& options) {
  return list(options, robots_of(options), {"login", "disabled", "expires", "last_used", "description"});
}
Task<int> add_robot(const IdentityOptions& options) {
  Json document = {{"name", options.other}, {"description", options.description}};
  if (!options.role.empty()) document["role"] = options.role;
  if (!options.permissions.empty()) document["permissions"] = options.permissions;
  if (!options.repository.empty()) document["repository"] = options.repository;
  if (options.days > 0) document["expires_in_days"] = options.days;
  return tell_secret(options, robots_of(options), std::move(document));
}
Task<int> rotate_robot(const IdentityOptions& options) {
  const Json document = {{"overlap_hours", options.overlap_hours}};
  return tell_secret(options, robots_of(options) + part(options.other) + "/secrets", document);
}
Task<int> set_robot(const IdentityOptions& options) {
  const Json document = {{"disabled", options.disabled}};
  return change(options, "PATCH", robots_of(options) + part(options.other), document,
                "robot " + options.other + " is changed");
}
Task<int> remove_robot(const IdentityOptions& options) {
  return change(options, "DELETE", robots_of(options) + part(options.other), {}, "robot " + options.other + " is gone");
}

}  // namespace

void add_identity(Command& program) {
  auto options = std::make_shared<IdentityOptions>();
  const auto add = [&](Command& below, const char* name, const char* help, Task<int> (*work)(const IdentityOptions&)) {
    return add_server_command(below, name, options, name, help, [options, work] { return work(*options); });
  };
  add(program, "login", "logs in to a master, for the commands that follow", log_in)
      .flag("--oidc", options->oidc, "with the OpenID provider of the master, instead of a password");
  add(program, "logout", "forgets that", log_out);
  add(program, "whoami", "who is logged in", who_am_i);

  Command user = program.group("user", "people who log in");
  add(user, "list", "all users", list_users);
  Command new_user = add(user, "add", "a local user", add_user);
  new_user.option("NAME", options->name, "as it logs in").required();
  new_user.option("--mail", options->mail, "address");
  new_user.option("--new-password-file", options->new_password_file, "file with the password; - for standard input");
  Command set = add(user, "set", "changes a user", set_user);
  set.option("NAME", options->name, "the user").required();
  set.option("--mail", options->mail, "address");
  set.flag("--administrator", options->administrator, "may do everything");
  set.flag("--auditor", options->auditor, "may see everything but content");
  set.flag("--no", options->no, "takes that right back");
  set.flag("--disable", options->disabled, "cannot log in; tokens end in every tier");
  set.flag("--enable", options->enabled, "can log in again");
  Command password = add(user, "password", "changes a password: your own, or as --user another's", set_password);
  password.option("NAME", options->name, "whose").required();
  password.option("--new-password-file", options->new_password_file, "file with the new one; - for standard input");
  add(user, "logout", "ends all sessions and tokens of a user, in every tier", log_user_out)
      .option("NAME", options->name, "the user")
      .required();
  add(user, "remove", "ends a user with all grants", remove_user).option("NAME", options->name, "the user").required();

  Command group = program.group("group", "users to whom something is granted together");
  add(group, "list", "all groups", list_groups);
  Command new_group = add(group, "add", "a group", add_group);
  new_group.option("NAME", options->name, "the group").required();
  new_group.option("--source", options->source, "ldap or oidc: who is in it is known there");
  new_group.option("--external-name", options->external_name, "its name there");
  Command joined = add(group, "join", "puts a user into a group", add_member);
  Command left = add(group, "leave", "takes a user out of a group", remove_member);
  for (Command* each : {&joined, &left}) {
    each->option("NAME", options->name, "the group").required();
    each->option("USER", options->other, "the user").required();
  }
  add(group, "remove", "ends a group with all grants", remove_group)
      .option("NAME", options->name, "the group")
      .required();

  Command project = program.group("project", "what owns repositories: the first part of their names");
  add(project, "list", "projects that you may see", list_projects);
  Command new_project = add(project, "add", "a project", add_project);
  new_project.option("NAME", options->name, "the project").required();
  new_project.flag("--public", options->is_public, "everybody may pull");
  Command visible = add(project, "public", "everybody may pull", set_project);
  visible.option("NAME", options->name, "the project").required();
  visible.flag("--no", options->no, "only who was granted it may");
  add(project, "remove", "ends a project with its grants", remove_project)
      .option("NAME", options->name, "the project")
      .required();

  Command role = program.group("role", "sets of permissions");
  add(role, "list", "all roles", list_roles);
  Command new_role = add(role, "set", "makes or changes a role", put_role);
  new_role.option("NAME", options->name, "the role").required();
  new_role.option("--permission", options->permissions, "one of it; may be named several times").one_value_each();
  new_role.option("--description", options->description, "what it is for");
  add(role, "remove", "ends a role", remove_role).option("NAME", options->name, "the role").required();

  Command grant = program.group("grant", "who may do what in a project");
  add(grant, "list", "the grants of a project", list_grants).option("PROJECT", options->name, "the project").required();
  Command new_grant = add(grant, "add", "grants a role or permissions", add_grant);
  new_grant.option("PROJECT", options->name, "the project").required();
  new_grant.option("SUBJECT", options->subject, "user:NAME, group:NAME or robot:PROJECT+NAME").required();
  new_grant.option("--role", options->role, "guest, puller, developer, maintainer, administrator, or one of your own");
  new_grant.option("--permission", options->permissions, "instead of a role").one_value_each();
  new_grant.option("--repository", options->repository, "pattern of repositories; all of the project if left out");
  Command taken = add(grant, "remove", "takes a grant back", remove_grant);
  taken.option("PROJECT", options->name, "the project").required();
  taken.option("ID", options->other, "the grant").required();

  Command robot = program.group("robot", "machines that log in, each of one project");
  add(robot, "list", "the robots of a project", list_robots).option("PROJECT", options->name, "the project").required();
  Command new_robot = add(robot, "add", "a robot; prints its login and its secret, once", add_robot);
  Command rotated = add(robot, "rotate", "a new secret; prints it once", rotate_robot);
  Command set_one = add(robot, "set", "changes a robot", set_robot);
  Command gone = add(robot, "remove", "ends a robot", remove_robot);
  for (Command* each : {&new_robot, &rotated, &set_one, &gone}) {
    each->option("PROJECT", options->name, "the project").required();
    each->option("NAME", options->other, "the robot").required();
  }
  new_robot.option("--role", options->role, "what it may do");
  new_robot.option("--permission", options->permissions, "instead of a role").one_value_each();
  new_robot.option("--repository", options->repository, "pattern of repositories; all of the project if left out");
  new_robot.option("--description", options->description, "what it is for");
  new_robot.option("--expires-in-days", options->days, "for ever if left out");
  rotated.option("--overlap-hours", options->overlap_hours, "for how long those of before hold");
  set_one.flag("--disable", options->disabled, "cannot log in; left out: can");
}

}  // namespace wherry::master
