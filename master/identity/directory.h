// Directory: users, groups, robots, projects, roles and grants of this registry, and the policy in the feed that
// follows from them.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/mutex.h"
#include "common/auth/identity.h"
#include "common/feed/change.h"
#include "common/kv/key_value.h"
#include "common/registry/policy_keeper.h"
#include "master/identity/table.h"

namespace wherry::identity {

/// Held in memory as a whole (some hundred bytes each); a change is one transaction of its rows and of the entries that
/// tell the tiers of it, and counts here once that is durable. All calls on one loop.
/// Errors of all changes: kInvalid for what cannot be, kNotFound for what is not there, kDenied for what would leave
/// nobody in charge; those of the store.
class Directory {
 public:
  static constexpr std::size_t kMostOfAKind = 100'000;
  static constexpr std::size_t kMostGrants = 400;  ///< of a project: its document has to fit an entry of the feed

  Directory(kv::KeyValue& store, registry::PolicyKeeper& policy, const Clock& clock)
      : store_(store), policy_(policy), clock_(clock) {}

  /// Reads all rows. Before all else.
  Task<Result<void>> load();
  /// True until the first user was made.
  bool is_empty() const { return users_.size() == 0; }

  const Table<User>& users() const { return users_; }
  const Table<Group>& groups() const { return groups_; }
  const Table<Robot>& robots() const { return robots_; }
  const Table<Project>& projects() const { return projects_; }
  const Table<Role>& roles() const { return roles_; }
  const auth::Policy& policy() const { return policy_.policy(); }
  /// A built-in role's or one of the operator's own; nothing for a name that is none.
  std::optional<auth::Permissions> permissions_of(std::string_view role) const;
  /// Ids of the local groups that somebody is in, and of those of `source` with these names there.
  std::vector<std::string> groups_of(const User& user, const std::vector<std::string>& external) const;
  /// Of a user whom another source knows by that id; O(1) when it has `name` here, which is usual.
  const User* external(Source source, std::string_view external_id, std::string_view name) const;

  /// What a change does to a record, given as it is now; an error leaves it as it was.
  template <class T>
  using Change = std::function<Result<void>(T&)>;
  /// That the record has this version; any when it is nothing. Errors: kInvalid with the words of a precondition.
  using IfVersion = std::optional<std::uint64_t>;

  // directory_users.cpp
  /// The one that is there when it has that id of another server.
  Task<Result<User>> create_user(const User& wanted);
  Task<Result<User>> change_user(std::string name, IfVersion version, Change<User> change);
  /// Errors: also kInvalid when another user has the name.
  Task<Result<User>> rename_user(std::string id, std::string name);
  Task<Result<void>> delete_user(std::string name, IfVersion version);
  Task<Result<Group>> create_group(const Group& wanted);
  Task<Result<Group>> change_group(std::string name, IfVersion version, Change<Group> change);
  Task<Result<void>> delete_group(std::string name, IfVersion version);
  /// What that user, robot or token has shown so far does not count any more, anywhere.
  Task<Result<void>> revoke(std::string id);

  // directory_projects.cpp
  Task<Result<Project>> create_project(const Project& wanted);
  Task<Result<Project>> change_project(std::string name, IfVersion version, Change<Project> change);
  Task<Result<void>> delete_project(std::string name, IfVersion version);
  Task<Result<Role>> put_role(const Role& wanted, IfVersion version);
  Task<Result<void>> delete_role(std::string name);

  // directory_robots.cpp
  Task<Result<Robot>> create_robot(const Robot& wanted, const std::vector<GrantRecord>& grants);
  Task<Result<Robot>> change_robot(std::string name, IfVersion version, Change<Robot> change);
  Task<Result<void>> delete_robot(std::string name);
  /// Says when it was last used, at most once a minute; may be lost by a power cut.
  Task<void> note_use(std::string robot_id);

  Task<Result<void>> begin_session(const Session& session);
  Task<Result<std::optional<Session>>> session(std::string hash);
  /// Those of a user (nobody's: ""), and all that are over.
  Task<Result<void>> end_sessions_of(std::string user_id);

  /// Sets a policy that all tiers read.
  Task<Result<void>> set_policy(std::string name, std::string json);

 private:
  /// What one transaction writes. Memory is changed as the edit is made: whoever logs in while it is written meets what
  /// will be. One that ends without having been committed puts memory back; `changing_` is held that long.
  class Edit {
   public:
    Edit() = default;
    Edit(const Edit&) = delete;
    Edit& operator=(const Edit&) = delete;
    ~Edit() {
      for (auto at = undo_.rbegin(); at != undo_.rend(); ++at) (*at)();
    }

    template <class T>
    void put(Table<T>& table, const T& record) {
      rows.emplace_back(key_of(record), dumped(record.to_row()));
      remember(table, record.id);
      table.put(record);
    }
    template <class T>
    void erase(Table<T>& table, const T& record) {
      erased_rows.push_back(key_of(record));
      const std::string id = record.id;  // the record may be the table's own
      remember(table, id);
      table.erase(id);
    }
    void committed() { undo_.clear(); }

    std::vector<std::pair<std::string, std::string>> rows;
    std::vector<std::string> erased_rows;
    std::vector<feed::Change> changes;

   private:
    template <class T>
    void remember(Table<T>& table, const std::string& id) {
      const T* before = table.find(id);
      if (before == nullptr)
        undo_.push_back([&table, id] { table.erase(id); });
      else
        undo_.push_back([&table, kept = *before] { table.put(kept); });
    }
    std::vector<std::function<void()>> undo_;
  };
  Task<Result<void>> commit(Edit& edit, kv::Durability durability = kv::Durability::kSynced);
  static std::string key_of(const Record& record);
  /// A copy of what has that name, of that version.
  template <class T>
  static Result<T> present(const Table<T>& table, std::string_view what, const std::string& name, IfVersion version);
  /// What is wanted, with an id of its own. Errors: kInvalid when the name is taken, kTooLarge.
  template <class T>
  Result<T> fresh(const Table<T>& table, std::string_view what, char kind, const T& wanted) const;
  /// The entry of a project's grants. Errors: kTooLarge.
  Result<void> tell(Edit& edit, const Project& project) const;
  /// The entry of who may do everything, as memory has it.
  void tell_system(Edit& edit) const;
  void tell_revoked(Edit& edit, const std::string& id) const;
  /// Takes the grants of these out of all projects.
  Result<void> take_grants_of(Edit& edit, const std::vector<std::string>& subjects);
  Result<void> check_grants(const std::vector<GrantRecord>& grants) const;
  /// Errors: kDenied when nobody is left in memory who may do everything, and somebody was before.
  Result<void> check_administrators(bool there_was_one) const;
  bool has_administrator() const;
  template <class T>
  Task<Result<void>> load_table(char kind, Table<T>& table);

  kv::KeyValue& store_;
  registry::PolicyKeeper& policy_;
  const Clock& clock_;
  Mutex changing_;
  Table<User> users_;
  Table<Group> groups_;
  Table<Robot> robots_;
  Table<Project> projects_;
  Table<Role> roles_;
};

/// Errors: kInvalid, as the API answers a failed If-Match (RFC 9110 13.1.1).
Result<void> check_version(const Record& record, std::optional<std::uint64_t> version);
Error already_there(std::string_view what, std::string_view name);
Error not_there(std::string_view what, std::string_view name);

inline constexpr char kIdentityTable = 'I';  ///< I kind id -> JSON; I s hash -> Session

template <class T>
Result<T> Directory::present(const Table<T>& table, std::string_view what, const std::string& name, IfVersion version) {
  const T* found = table.named(name);
  if (found == nullptr) return not_there(what, name);
  auto is_same = check_version(*found, version);
  if (!is_same) return is_same.error();
  return *found;
}

template <class T>
Result<T> Directory::fresh(const Table<T>& table, std::string_view what, char kind, const T& wanted) const {
  if (table.named(wanted.name) != nullptr) return already_there(what, wanted.name);
  if (table.size() >= kMostOfAKind)
    return Error(ErrorKind::kTooLarge, "there are {} of the kind {}: no more fit", kMostOfAKind, what);
  T made = wanted;
  made.id = new_id(kind);
  made.version = 1;
  made.created = clock_.wall();
  return made;
}

}  // namespace wherry::identity
