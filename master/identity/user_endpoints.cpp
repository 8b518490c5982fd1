// /api/v1/users and /api/v1/me
#include "common/auth/password_hash.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::document_of;
using api::Needs;
using auth::Permission;

Task<Result<Answer>> list_users(Administration& with, const Call& call) {
  const auto all = [](const User&) { return true; };
  co_return page_of(with.directory.users(), call, all, [](const User& user) { return view_of(user); });
}

Task<Result<Answer>> show_user(Administration& with, const Call& call) {
  const User* user = with.directory.users().named(call.path("name"));
  if (user == nullptr) co_return not_there("user", call.path("name"));
  co_return Answer(view_of(*user)).of_version(user->version);
}

Task<Result<Answer>> create_user(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  User user;
  std::string password;
  auto read = document->read("name", user.name);
  if (read) read = document->read("mail", user.mail);
  if (read) read = document->read("password", password);
  if (read) read = document->read("must_change_password", user.must_change_password);
  if (read) read = document->finish();
  if (read) read = auth::check_new_password(password, user.name);
  if (!read) co_return read.error();
  auto hash = co_await with.logins.hash(std::move(password));
  if (!hash) co_return hash.error();
  user.password_hash = std::move(*hash);
  auto made = co_await with.directory.create_user(user);
  if (!made) co_return made.error();
  co_return Answer(view_of(*made), 201).at("/api/v1/users/" + made->name).of_version(made->version);
}

Task<Result<Answer>> change_user(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  auto version = call.if_version();
  if (!version) co_return version.error();
  const Directory::Change<User> change = [&](User& user) -> Result<void> {
    auto read = document->read("mail", user.mail);
    if (read) read = document->read("disabled", user.disabled);
    if (read) read = document->read("administrator", user.administrator);
    if (read) read = document->read("auditor", user.auditor);
    return read ? document->finish() : read;
  };
  auto changed = co_await with.directory.change_user(call.path("name"), *version, change);
  if (!changed) co_return changed.error();
  if (changed->disabled) {
    auto ended = co_await with.directory.end_sessions_of(changed->id);
    if (!ended) co_return ended.error();
  }
  co_return Answer(view_of(*changed)).of_version(changed->version);
}

Task<Result<Answer>> delete_user(Administration& with, const Call& call) {
  auto version = call.if_version();
  if (!version) co_return version.error();
  const User* user = with.directory.users().named(call.path("name"));
  const std::string id = user == nullptr ? std::string() : user->id;
  auto gone = co_await with.directory.delete_user(call.path("name"), *version);
  if (gone) gone = co_await with.directory.end_sessions_of(id);
  if (!gone) co_return gone.error();
  co_return Answer::nothing();
}

/// One's own, with the present one; or somebody else's, by who may manage users: that one has to be changed at first
/// use.
Task<Result<Answer>> set_password(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  std::string old_password;
  std::string new_password;
  auto read = document->read("old_password", old_password);
  if (read) read = document->read("new_password", new_password);
  if (read) read = document->finish();
  if (!read) co_return read.error();
  const std::string name = call.path("name");
  const auto& visitor = call.visitor();
  const bool is_manager = !visitor.who().is_anonymous() &&
                          visitor.may_everywhere(Permission::kManageUsers) == auth::Visitor::May::kYes &&
                          visitor.who().name != name;
  std::string checked;
  if (!is_manager) {
    if (old_password.empty() || old_password.size() > auth::kMostPasswordBytes ||
        name.size() > MasterLogins::kMostNameBytes)
      co_return Error(ErrorKind::kUnauthorized, "name or password is wrong");
    auth::LoginAttempt attempt;
    attempt.name = name;
    attempt.password = old_password;
    attempt.remote = call.remote();
    auto user = co_await with.logins.check_user(attempt);
    if (!user) co_return user.error();
    checked = user->password_hash;
    if (old_password == new_password) co_return Error(ErrorKind::kInvalid, "new_password: it is the present one");
  }
  auto fits = auth::check_new_password(new_password, name);
  if (!fits) co_return Error(ErrorKind::kInvalid, "new_password: {}", fits.error().message());
  auto hash = co_await with.logins.hash(std::move(new_password));
  if (!hash) co_return hash.error();
  const Directory::Change<User> change = [&](User& user) -> Result<void> {
    if (user.source != Source::kLocal)
      return Error(ErrorKind::kInvalid, "the password of {} is known to {} alone", user.name, name_of(user.source));
    if (!is_manager && user.password_hash != checked)  // somebody else was sooner
      return Error(ErrorKind::kUnauthorized, "name or password is wrong");
    user.password_hash = *hash;
    user.must_change_password = is_manager;
    return {};
  };
  auto changed = co_await with.directory.change_user(name, std::nullopt, change);
  if (!changed) co_return changed.error();
  if (name == kFirstAdministrator) {
    auto removed = co_await with.disk.run([&] { return remove_file(with.initial_password_file); });
    if (!removed)  // it opens nothing any more
      log::warn("the file of the first password cannot be removed", {{"error", removed.error().to_string()}});
  }
  if (is_manager) co_return Answer::nothing();
  auth::Identity owner;
  owner.kind = auth::Identity::Kind::kUser;
  owner.id = changed->id;
  owner.name = changed->name;
  co_return Answer::nothing().done_by(std::move(owner));
}

Task<Result<Answer>> log_out_user(Administration& with, const Call& call) {
  const User* user = with.directory.users().named(call.path("name"));
  if (user == nullptr) co_return not_there("user", call.path("name"));
  const std::string id = user->id;
  auto revoked = co_await with.directory.revoke(id);
  if (revoked) revoked = co_await with.directory.end_sessions_of(id);
  if (!revoked) co_return revoked.error();
  co_return Answer::nothing();
}

Task<Result<Answer>> show_me(Administration& with, const Call& call) {
  const auth::Identity& who = call.visitor().who();
  Json groups = Json::array();
  for (const std::string& id : who.groups)
    if (const Group* group = with.directory.groups().find(id)) groups.push_back(group->name);
  const auth::Permissions everywhere =
      call.visitor().is_everyone() ? auth::Permissions::all() : with.directory.policy().allowed_everywhere(who);
  const Json me = {
      {"id", who.id}, {"name", who.name}, {"groups", std::move(groups)}, {"permissions", everywhere.names()}};
  co_return Answer(me);
}

Task<Result<Answer>> revoke_token(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  std::string id;
  auto read = document->read("token_id", id);
  if (read) read = document->finish();
  if (!read) co_return read.error();
  if (id.empty() || id.size() > 64) co_return Error(ErrorKind::kInvalid, "token_id: the jti of a token");
  auto revoked = co_await with.directory.revoke(std::move(id));
  if (!revoked) co_return revoked.error();
  co_return Answer::nothing();
}

Json user_schema() {
  const Json flag = {{"type", "boolean"}};
  return {{"type", "object"},
          {"properties",
           {{"id", text_schema()},
            {"name", text_schema()},
            {"source", {{"enum", Json::array({"local", "ldap", "oidc"})}}},
            {"mail", text_schema()},
            {"administrator", flag},
            {"auditor", flag},
            {"disabled", flag},
            {"must_change_password", flag},
            {"created", {{"type", "string"}, {"format", "date-time"}}}}}};
}

}  // namespace

void add_user_endpoints(api::Api& api, Administration& with) {
  const Json flag = {{"type", "boolean"}};
  Endpoints all(api, with, "users");
  const Needs read = Needs::in_registry(Permission::kReadUsers);
  const Needs manage = Needs::in_registry(Permission::kManageUsers);
  const Json user = api::ref("User");
  api.add_schema("User", user_schema());
  all.add_list("/api/v1/users", "listUsers", "Users, by name", read, user, list_users);
  all.add("GET", "/api/v1/users/{name}", "getUser", "One user", read, {}, user, 200, show_user);
  all.add("POST", "/api/v1/users", "createUser", "A local user", manage,
          {{"type", "object"},
           {"properties",
            {{"name", text_schema()},
             {"mail", text_schema()},
             {"password", text_schema()},
             {"must_change_password", flag}}},
           {"required", Json::array({"name", "password"})}},
          user, 201, create_user);
  all.add("PATCH", "/api/v1/users/{name}", "changeUser", "Changes what is named", manage,
          {{"type", "object"},
           {"properties", {{"mail", text_schema()}, {"disabled", flag}, {"administrator", flag}, {"auditor", flag}}}},
          user, 200, change_user);
  all.add("DELETE", "/api/v1/users/{name}", "deleteUser",
          "Ends a user with all grants; one of the same name is another", manage, {}, {}, 204, delete_user);
  all.add("PUT", "/api/v1/users/{name}/password", "setPassword",
          "A new password: one's own with the present one, or another's by who manages users", Needs::nothing(),
          {{"type", "object"},
           {"properties", {{"old_password", text_schema()}, {"new_password", text_schema()}}},
           {"required", Json::array({"new_password"})}},
          {}, 204, set_password);
  all.add("POST", "/api/v1/users/{name}/logout", "logOutUser", "Ends all sessions and tokens of a user, in every tier",
          manage, {}, {}, 204, log_out_user);
  all.add("POST", "/api/v1/revocations", "revokeToken", "Ends one token, in every tier", manage,
          {{"type", "object"}, {"properties", {{"token_id", text_schema()}}}, {"required", Json::array({"token_id"})}},
          {}, 204, revoke_token);
  all.add("GET", "/api/v1/me", "getMe", "Who asks, and what he may do everywhere", Needs::login(), {},
          {{"type", "object"}}, 200, show_me);
}

}  // namespace wherry::identity
