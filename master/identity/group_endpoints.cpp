// /api/v1/groups
#include <algorithm>

#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::document_of;
using api::Needs;
using auth::Permission;

Task<Result<Answer>> list_groups(Administration& with, const Call& call) {
  const auto all = [](const Group&) { return true; };
  co_return page_of(with.directory.groups(), call, all,
                    [&](const Group& group) { return view_of(group, with.directory); });
}

Task<Result<Answer>> show_group(Administration& with, const Call& call) {
  const Group* group = with.directory.groups().named(call.path("name"));
  if (group == nullptr) co_return not_there("group", call.path("name"));
  co_return Answer(view_of(*group, with.directory)).of_version(group->version);
}

Task<Result<Answer>> create_group(Administration& with, const Call& call) {
  auto document = document_of(call);
  if (!document) co_return document.error();
  Group group;
  std::string source(name_of(Source::kLocal));
  auto read = document->read("name", group.name);
  if (read) read = document->read("source", source);
  if (read) read = document->read("external_name", group.external_name);
  if (read) read = document->finish();
  if (!read) co_return read.error();
  if (source == name_of(Source::kLdap))
    group.source = Source::kLdap;
  else if (source == name_of(Source::kOidc))
    group.source = Source::kOidc;
  else if (source != name_of(Source::kLocal))
    co_return document->wrong("source", "local, ldap or oidc");
  if ((group.source == Source::kLocal) != group.external_name.empty())
    co_return document->wrong("external_name",
                              "the name in that source: of groups of ldap and oidc, and of those alone");
  auto made = co_await with.directory.create_group(group);
  if (!made) co_return made.error();
  co_return Answer(view_of(*made, with.directory), 201).at("/api/v1/groups/" + made->name).of_version(made->version);
}

Task<Result<Answer>> delete_group(Administration& with, const Call& call) {
  auto version = call.if_version();
  if (!version) co_return version.error();
  auto gone = co_await with.directory.delete_group(call.path("name"), *version);
  if (!gone) co_return gone.error();
  co_return Answer::nothing();
}

Task<Result<Answer>> set_member(Administration& with, const Call& call, bool is_in) {
  const User* user = with.directory.users().named(call.path("user"));
  if (user == nullptr) co_return not_there("user", call.path("user"));
  const std::string id = user->id;
  const Directory::Change<Group> change = [&](Group& group) -> Result<void> {
    if (group.source != Source::kLocal)
      return Error(ErrorKind::kInvalid, "who is in {} is known to {} alone", group.name, name_of(group.source));
    std::erase(group.members, id);
    if (is_in) group.members.push_back(id);
    return {};
  };
  auto changed = co_await with.directory.change_group(call.path("name"), std::nullopt, change);
  if (!changed) co_return changed.error();
  co_return Answer::nothing();
}

Task<Result<Answer>> add_member(Administration& with, const Call& call) { return set_member(with, call, true); }
Task<Result<Answer>> remove_member(Administration& with, const Call& call) { return set_member(with, call, false); }

}  // namespace

void add_group_endpoints(api::Api& api, Administration& with) {
  const Needs read = Needs::in_registry(Permission::kReadUsers);
  const Needs manage = Needs::in_registry(Permission::kManageUsers);
  const Json group = api::ref("Group");
  const std::string one = "/api/v1/groups/{name}";
  api.add_schema("Group", {{"type", "object"},
                           {"properties",
                            {{"id", text_schema()},
                             {"name", text_schema()},
                             {"source", {{"enum", Json::array({"local", "ldap", "oidc"})}}},
                             {"external_name", text_schema()},
                             {"members", api::list_of(text_schema())}}}});
  Endpoints all(api, with, "groups");
  all.add_list("/api/v1/groups", "listGroups", "Groups, by name", read, group, list_groups);
  all.add("GET", one, "getGroup", "One group", read, {}, group, 200, show_group);
  all.add("POST", "/api/v1/groups", "createGroup",
          "A group of users here, or one that stands for a group of another source", manage,
          {{"type", "object"},
           {"properties", {{"name", text_schema()}, {"source", text_schema()}, {"external_name", text_schema()}}},
           {"required", Json::array({"name"})}},
          group, 201, create_group);
  all.add("DELETE", one, "deleteGroup", "Ends a group with all its grants", manage, {}, {}, 204, delete_group);
  all.add("PUT", one + "/members/{user}", "addMember", "Puts a user into a group", manage, {}, {}, 204, add_member);
  all.add("DELETE", one + "/members/{user}", "removeMember",
          "Takes a user out of a group: tokens of before do not count any more", manage, {}, {}, 204, remove_member);
}

}  // namespace wherry::identity
