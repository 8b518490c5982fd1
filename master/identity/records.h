// What the master keeps of users, groups, robots, projects, roles and grants: one row each, as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/permissions.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "master/api/call.h"

namespace wherry::identity {

using api::Json;

/// Where somebody's password, or a group's members, are known.
enum class Source { kLocal, kLdap, kOidc };
std::string_view name_of(Source source);

/// Common to all: an id that is never given again, and a version that counts its changes (the ETag of the API).
struct Record {
  std::string id;
  std::string name;
  std::uint64_t version = 1;
  WallTime created{};
};

struct User : Record {
  Source source = Source::kLocal;
  std::string external_id{};  ///< in that source, of its own kind: who has the name there now may be somebody else
  std::string mail{};
  std::string password_hash{};  ///< local ones
  bool must_change_password = false;
  bool disabled = false;
  bool administrator = false;  ///< of the whole registry
  bool auditor = false;

  Json to_row() const;
  static Result<User> from_row(const Json& row);
};

struct Group : Record {
  Source source = Source::kLocal;
  std::string external_name{};         ///< in that source: who logs in with it is a member
  std::vector<std::string> members{};  ///< ids of users; of local groups
  Json to_row() const;
  static Result<Group> from_row(const Json& row);
};

/// Its name is "project+name".
struct Robot : Record {
  struct Secret {
    std::string hash;  ///< auth::secret_hash_of()
    WallTime created{};
    std::optional<WallTime> expires{};
  };
  static constexpr std::size_t kMostSecrets = 4;

  std::string description{};
  std::string project{};  ///< id: whose maintainers may manage it; empty: system administrators alone
  bool disabled = false;
  std::optional<WallTime> expires{};
  std::optional<WallTime> last_used{};
  std::vector<Secret> secrets{};
  Json to_row() const;
  static Result<Robot> from_row(const Json& row);
};

/// What one subject may do in a project: by a role or a list of permissions.
struct GrantRecord {
  std::string id;
  std::string subject;     ///< id of a user, group or robot
  std::string repository;  ///< pattern; empty: all
  std::string role;        ///< a name; empty: `permissions` are meant
  auth::Permissions permissions;
};

struct Project : Record {
  bool is_public = false;
  std::vector<GrantRecord> grants{};
  Json to_row() const;
  static Result<Project> from_row(const Json& row);
};

/// One of the operator's own.
struct Role : Record {
  std::string description{};
  auth::Permissions permissions{};
  Json to_row() const;
  static Result<Role> from_row(const Json& row);
};

/// A session of somebody who stays logged in: what is kept of a refresh token.
struct Session {
  std::string hash;  ///< of the token; its key
  std::string user;  ///< id
  std::string client;
  WallTime created{};
  WallTime expires{};
  std::vector<std::string> groups{};  ///< ids, as of the login, where another server says who is in them
  Json to_row() const;
  static Result<Session> from_row(const Json& row);
};

/// A row's text. What came from outside need not be UTF-8.
std::string dumped(const Json& row);

/// "u-", "g-", "r-", "p-", "n-" and 96 random bits.
std::string new_id(char kind);

/// a-z, 0-9, '.', '_', '-' and '@' after the first: 1 to 64. No '$': robots have it. Errors: kInvalid.
Result<void> check_login(std::string_view name);
/// What a repository's first part may be. Errors: kInvalid.
Result<void> check_project_name(std::string_view name);

}  // namespace wherry::identity
