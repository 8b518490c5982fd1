#include "master/identity/records.h"

#include <algorithm>

#include "common/base/random.h"
#include "common/oci/reference.h"

namespace wherry::identity {
namespace {

constexpr std::size_t kIdBytes = 12;
constexpr std::size_t kMostLoginBytes = 64;

Error damaged_row() { return Error(ErrorKind::kCorrupt, "a row of who may do what is not in its form"); }

std::optional<Source> source_named(std::string_view name) {
  for (const auto source : {Source::kLocal, Source::kLdap, Source::kOidc})
    if (name_of(source) == name) return source;
  return std::nullopt;
}

Json common_part(const Record& record) {
  return {
      {"id", record.id}, {"name", record.name}, {"version", record.version}, {"created", to_millis(record.created)}};
}

void read_common(const Json& row, Record& record) {
  record.id = row.at("id").get<std::string>();
  record.name = row.at("name").get<std::string>();
  record.version = row.at("version").get<std::uint64_t>();
  record.created = from_millis(row.at("created").get<std::int64_t>());
}

Json time_or_null(const std::optional<WallTime>& time) { return time ? Json(to_millis(*time)) : Json(); }

std::optional<WallTime> read_time(const Json& row, const char* member) {
  const Json& value = row.at(member);
  return value.is_null() ? std::nullopt : std::optional(from_millis(value.get<std::int64_t>()));
}

auth::Permissions read_permissions(const Json& names) {
  auth::Permissions permissions;
  for (const Json& each : names)
    if (const auto known = auth::permission_named(each.get<std::string>())) permissions |= auth::Permissions{*known};
  return permissions;
}

/// The rows are our own; what a disk made of them is still no reason to end.
template <class T, class Read>
Result<T> read_row(const Json& row, Read read) {
  try {
    T record{};
    if constexpr (std::is_base_of_v<Record, T>) read_common(row, record);
    read(record);
    return record;
  } catch (const Json::exception&) {
    return damaged_row();
  }
}

}  // namespace

std::string_view name_of(Source source) {
  switch (source) {
    case Source::kLdap: return "ldap";
    case Source::kOidc: return "oidc";
    default: return "local";
  }
}

std::string dumped(const Json& row) { return row.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string new_id(char kind) { return std::string(1, kind) + "-" + random_hex(kIdBytes); }

Result<void> check_login(std::string_view name) {
  const auto is_inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '@';
  };
  const bool fits = !name.empty() && name.size() <= kMostLoginBytes && std::ranges::all_of(name, is_inner) &&
                    name.front() != '.' && name.front() != '-' && name.front() != '@';
  if (fits) return {};
  return Error(ErrorKind::kInvalid,
               "a login name has 1 to {} of a-z, 0-9, '.', '_', '-' and '@', and begins with a letter or number",
               kMostLoginBytes);
}

Result<void> check_project_name(std::string_view name) {
  if (name.find('/') == std::string_view::npos && name.size() <= kMostLoginBytes && RepositoryName::parse(name))
    return {};
  return Error(ErrorKind::kInvalid,
               "a project's name is the first part of its repositories' names: lower-case letters, "
               "numbers, and '.', '_' or '-' between them, at most {}",
               kMostLoginBytes);
}

Json User::to_row() const {
  Json row = common_part(*this);
  row.update({{"source", name_of(source)},
              {"external_id", external_id},
              {"mail", mail},
              {"password_hash", password_hash},
              {"must_change_password", must_change_password},
              {"disabled", disabled},
              {"administrator", administrator},
              {"auditor", auditor}});
  return row;
}

Result<User> User::from_row(const Json& row) {
  return read_row<User>(row, [&](User& user) {
    user.source = source_named(row.at("source").get<std::string>()).value_or(Source::kLocal);
    user.external_id = row.at("external_id").get<std::string>();
    user.mail = row.at("mail").get<std::string>();
    user.password_hash = row.at("password_hash").get<std::string>();
    user.must_change_password = row.at("must_change_password").get<bool>();
    user.disabled = row.at("disabled").get<bool>();
    user.administrator = row.at("administrator").get<bool>();
    user.auditor = row.at("auditor").get<bool>();
  });
}

Json Group::to_row() const {
  Json row = common_part(*this);
  row.update({{"source", name_of(source)}, {"external_name", external_name}, {"members", members}});
  return row;
}

Result<Group> Group::from_row(const Json& row) {
  return read_row<Group>(row, [&](Group& group) {
    group.source = source_named(row.at("source").get<std::string>()).value_or(Source::kLocal);
    group.external_name = row.at("external_name").get<std::string>();
    group.members = row.at("members").get<std::vector<std::string>>();
  });
}

Json Robot::to_row() const {
  Json row = common_part(*this);
  Json kept = Json::array();
  for (const Secret& secret : secrets)
    kept.push_back(
        {{"hash", secret.hash}, {"created", to_millis(secret.created)}, {"expires", time_or_null(secret.expires)}});
  row.update({{"description", description},
              {"project", project},
              {"disabled", disabled},
              {"expires", time_or_null(expires)},
              {"last_used", time_or_null(last_used)},
              {"secrets", std::move(kept)}});
  return row;
}

Result<Robot> Robot::from_row(const Json& row) {
  return read_row<Robot>(row, [&](Robot& robot) {
    robot.description = row.at("description").get<std::string>();
    robot.project = row.at("project").get<std::string>();
    robot.disabled = row.at("disabled").get<bool>();
    robot.expires = read_time(row, "expires");
    robot.last_used = read_time(row, "last_used");
    for (const Json& each : row.at("secrets"))
      robot.secrets.push_back({.hash = each.at("hash").get<std::string>(),
                               .created = from_millis(each.at("created").get<std::int64_t>()),
                               .expires = read_time(each, "expires")});
  });
}

Json Project::to_row() const {
  Json row = common_part(*this);
  Json kept = Json::array();
  for (const GrantRecord& grant : grants)
    kept.push_back({{"id", grant.id},
                    {"subject", grant.subject},
                    {"repository", grant.repository},
                    {"role", grant.role},
                    {"permissions", grant.permissions.names()}});
  row.update({{"public", is_public}, {"grants", std::move(kept)}});
  return row;
}

Result<Project> Project::from_row(const Json& row) {
  return read_row<Project>(row, [&](Project& project) {
    project.is_public = row.at("public").get<bool>();
    for (const Json& each : row.at("grants"))
      project.grants.push_back({.id = each.at("id").get<std::string>(),
                                .subject = each.at("subject").get<std::string>(),
                                .repository = each.at("repository").get<std::string>(),
                                .role = each.at("role").get<std::string>(),
                                .permissions = read_permissions(each.at("permissions"))});
  });
}

Json Role::to_row() const {
  Json row = common_part(*this);
  row.update({{"description", description}, {"permissions", permissions.names()}});
  return row;
}

Result<Role> Role::from_row(const Json& row) {
  return read_row<Role>(row, [&](Role& role) {
    role.description = row.at("description").get<std::string>();
    role.permissions = read_permissions(row.at("permissions"));
  });
}

Json Session::to_row() const {
  return {{"hash", hash},
          {"user", user},
          {"client", client},
          {"created", to_millis(created)},
          {"expires", to_millis(expires)},
          {"groups", groups}};
}

Result<Session> Session::from_row(const Json& row) {
  return read_row<Session>(row, [&](Session& session) {
    session.hash = row.at("hash").get<std::string>();
    session.user = row.at("user").get<std::string>();
    session.client = row.at("client").get<std::string>();
    session.created = from_millis(row.at("created").get<std::int64_t>());
    session.expires = from_millis(row.at("expires").get<std::int64_t>());
    session.groups = row.at("groups").get<std::vector<std::string>>();
  });
}

}  // namespace wherry::identity
