#include "master/identity/directory.h"

#include <algorithm>

#include "common/auth/policy.h"
#include "common/feed/log.h"
#include "common/kv/for_each_row.h"

namespace wherry::identity {
namespace {

constexpr std::size_t kForgottenAtOnce = 16;  // old revocations, with each new one

std::string prefix_of(char kind) { return {kIdentityTable, kind}; }

}  // namespace

Result<void> check_version(const Record& record, std::optional<std::uint64_t> version) {
  if (!version || *version == record.version) return {};
  return Error(ErrorKind::kInvalid, "{} was changed by somebody else meanwhile: look at it again", record.name)
      .with_detail(R"({"status":412})");
}

Error already_there(std::string_view what, std::string_view name) {
  return Error(ErrorKind::kInvalid, "there is a {} {} already", what, name).with_detail(R"({"status":409})");
}

Error not_there(std::string_view what, std::string_view name) {
  return Error(ErrorKind::kNotFound, "there is no {} {}", what, name);
}

std::string Directory::key_of(const Record& record) { return prefix_of(record.id.front()) + record.id; }

template <class T>
Task<Result<void>> Directory::load_table(char kind, Table<T>& table) {
  const kv::VisitRow read = [&](std::string_view key, std::string_view text) -> Result<void> {
    const Json row = Json::parse(text, nullptr, false);
    auto record = T::from_row(row);
    if (!record) return Error(ErrorKind::kCorrupt, "{}: {}", key, record.error().message());
    table.put(*record);
    return {};
  };
  co_return co_await kv::for_each_row(store_, prefix_of(kind), read);
}

Task<Result<void>> Directory::load() {
  auto loaded = co_await load_table('u', users_);
  if (loaded) loaded = co_await load_table('g', groups_);
  if (loaded) loaded = co_await load_table('r', robots_);
  if (loaded) loaded = co_await load_table('p', projects_);
  if (loaded) loaded = co_await load_table('o', roles_);
  if (loaded) loaded = co_await policy_.load();
  if (loaded) policy_.publish();
  co_return loaded;
}

Task<Result<void>> Directory::commit(Edit& edit, kv::Durability durability) {
  auto written = co_await store_.transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        for (const auto& [key, value] : edit.rows) transaction.put(key, value);
        for (const std::string& key : edit.erased_rows) transaction.erase(key);
        for (const feed::Change& change : edit.changes) {
          auto appended = feed::append(transaction, change);
          if (!appended) return appended;
        }
        return {};
      },
      durability);
  if (!written) co_return written;
  edit.committed();
  for (const feed::Change& change : edit.changes) policy_.apply(change);
  policy_.publish();
  co_return written;
}

std::optional<auth::Permissions> Directory::permissions_of(std::string_view role) const {
  for (const auth::BuiltInRole& each : auth::built_in_roles())
    if (each.name == role) return each.permissions;
  if (const Role* own = roles_.named(role)) return own->permissions;
  return std::nullopt;
}

std::vector<std::string> Directory::groups_of(const User& user, const std::vector<std::string>& external) const {
  std::vector<std::string> ids;
  groups_.for_each([&](const Group& group) {
    const bool is_member =
        group.source == Source::kLocal
            ? std::ranges::find(group.members, user.id) != group.members.end()
            : group.source == user.source && std::ranges::find(external, group.external_name) != external.end();
    if (is_member) ids.push_back(group.id);
  });
  return ids;
}

const User* Directory::external(Source source, std::string_view external_id, std::string_view name) const {
  const auto is_it = [&](const User& user) { return user.source == source && user.external_id == external_id; };
  const User* found = users_.named(name);
  if (found != nullptr && is_it(*found)) return found;
  found = nullptr;
  users_.for_each([&](const User& user) {
    if (is_it(user)) found = &user;
  });
  return found;
}

Result<void> Directory::tell(Edit& edit, const Project& project) const {
  std::vector<auth::Grant> grants;
  for (const GrantRecord& grant : project.grants) {
    const auto permissions = grant.role.empty() ? std::optional(grant.permissions) : permissions_of(grant.role);
    grants.push_back({.subject = grant.subject,
                      .repository = grant.repository,
                      .permissions = permissions.value_or(auth::Permissions())});
  }
  std::string document = auth::ProjectPolicy(project.id, project.is_public, grants).to_json();
  if (document.size() > feed::Change::kMaxPayloadBytes)
    return Error(ErrorKind::kTooLarge, "project {} has more grants than tiers can be told of: grant to groups",
                 project.name);
  edit.changes.push_back(feed::Change::project_set(project.name, std::move(document), clock_.wall()));
  return {};
}

void Directory::tell_system(Edit& edit) const {
  std::vector<auth::Grant> grants;
  users_.for_each([&](const User& user) {
    if (user.disabled) return;
    if (user.administrator)
      grants.push_back({.subject = user.id, .repository = {}, .permissions = auth::kSystemAdministrator});
    else if (user.auditor)
      grants.push_back({.subject = user.id, .repository = {}, .permissions = auth::kAuditor});
  });
  const std::string document = auth::ProjectPolicy("system", false, grants).to_json();
  edit.changes.push_back(feed::Change::policy_set(std::string(auth::kSystemPolicy), document, clock_.wall()));
}

void Directory::tell_revoked(Edit& edit, const std::string& id) const {
  const Json document = {{"before_ms", to_millis(clock_.wall())}};
  edit.changes.push_back(
      feed::Change::policy_set(std::string(auth::kRevokedPolicy) + id, document.dump(), clock_.wall()));
  for (const std::string& old : policy().revoked_before(clock_.wall() - auth::kNothingCountsLonger, kForgottenAtOnce))
    if (old != id)
      edit.changes.push_back(feed::Change::policy_removed(std::string(auth::kRevokedPolicy) + old, clock_.wall()));
}

Task<Result<void>> Directory::set_policy(std::string name, std::string json) {
  const auto held = co_await changing_.lock();
  Edit edit;
  edit.changes.push_back(feed::Change::policy_set(std::move(name), std::move(json), clock_.wall()));
  co_return co_await commit(edit);
}

}  // namespace wherry::identity
