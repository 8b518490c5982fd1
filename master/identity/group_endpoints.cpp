// /api/v1/groups
#include <algorithm>

#include "master/api/document.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::Document;
using api::Needs;
using auth::Permission;

constexpr const char* kGroupTag = "groups";

Task<Result<Answer>> list_groups(Administration& with, const Call& call) {
  auto limit = call.number("n", kMostItems, 1, kMostItems);
  if (!limit) co_return limit.error();
  const auto page =
      with.directory.groups().page(call.query("last").value_or(""), *limit, [](const Group&) { return true; });
  Json items = Json::array();
  for (const Group* group : page) items.push_back(view_of(*group, with.directory));
  co_return Answer(page_of(std::move(items), page.size() == *limit ? page.back()->name : std::string()));
}

Task<Result<Answer>> show_group(Administration& with, const Call& call) {
  const Group* group = with.directory.groups().named(call.path("name"));
  if (group == nullptr) co_return not_there("group", call.path("name"));
  co_return Answer(view_of(*group, with.directory)).of_version(group->version);
}

Task<Result<Answer>> create_group(Administration& with, const Call& call) {
  if (!call.body().is_object()) co_return Error(ErrorKind::kInvalid, "a JSON object is expected");
  Document document(call.body(), "");
  Group group;
  std::string source(name_of(Source::kLocal));
  auto read = document.read("name", group.name);
  if (read) read = document.read("source", source);
  if (read) read = document.read("external_name", group.external_name);
  if (read) read = document.finish();
  if (!read) co_return read.error();
  if (source == name_of(Source::kLdap))
    group.source = Source::kLdap;
  else if (source == name_of(Source::kOidc))
    group.source = Source::kOidc;
  else if (source != name_of(Source::kLocal))
    co_return document.wrong("source", "local, ldap or oidc");
  if ((group.source == Source::kLocal) != group.external_name.empty())
    co_return document.wrong("external_name",
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

}  // namespace

void add_group_endpoints(api::Api& api, Administration& with) {
  const Needs read = Needs::in_registry(Permission::kReadUsers);
  const Needs manage = Needs::in_registry(Permission::kManageUsers);
  const Json group = api::ref("Group");
  api.add_schema("Group", {{"type", "object"},
                           {"properties",
                            {{"id", text_schema()},
                             {"name", text_schema()},
                             {"source", {{"enum", Json::array({"local", "ldap", "oidc"})}}},
                             {"external_name", text_schema()},
                             {"members", api::list_of(text_schema())}}}});
  api.add({.method = "GET",
           .path = "/api/v1/groups",
           .id = "listGroups",
           .tag = kGroupTag,
           .summary = "Groups, by name",
           .query = paging(),
           .response = {{"type", "object"}, {"properties", {{"items", api::list_of(group)}, {"next", text_schema()}}}},
           .handler = [&with](const Call& call) { return list_groups(with, call); },
           .needs = read});
  api.add({.method = "GET",
           .path = "/api/v1/groups/{name}",
           .id = "getGroup",
           .tag = kGroupTag,
           .summary = "One group",
           .response = group,
           .handler = [&with](const Call& call) { return show_group(with, call); },
           .needs = read});
  api.add({.method = "POST",
           .path = "/api/v1/groups",
           .id = "createGroup",
           .tag = kGroupTag,
           .summary = "A group of users here, or one that stands for a group of another source",
           .request = {{"type", "object"},
                       {"properties",
                        {{"name", text_schema()}, {"source", text_schema()}, {"external_name", text_schema()}}},
                       {"required", Json::array({"name"})}},
           .response = group,
           .status = 201,
           .handler = [&with](const Call& call) { return create_group(with, call); },
           .needs = manage});
  api.add({.method = "DELETE",
           .path = "/api/v1/groups/{name}",
           .id = "deleteGroup",
           .tag = kGroupTag,
           .summary = "Ends a group with all its grants",
           .handler = [&with](const Call& call) { return delete_group(with, call); },
           .needs = manage});
  api.add({.method = "PUT",
           .path = "/api/v1/groups/{name}/members/{user}",
           .id = "addMember",
           .tag = kGroupTag,
           .summary = "Puts a user into a group",
           .handler = [&with](const Call& call) { return set_member(with, call, true); },
           .needs = manage});
  api.add({.method = "DELETE",
           .path = "/api/v1/groups/{name}/members/{user}",
           .id = "removeMember",
           .tag = kGroupTag,
           .summary = "Takes a user out of a group: tokens of before do not count any more",
           .handler = [&with](const Call& call) { return set_member(with, call, false); },
           .needs = manage});
}

}  // namespace wherry::identity
