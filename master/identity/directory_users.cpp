// The users and groups of a Directory.
#include <algorithm>

#include "master/identity/directory.h"

namespace wherry::identity {

bool Directory::has_administrator() const {
  bool has = false;
  users_.for_each([&](const User& user) { has = has || (user.administrator && !user.disabled); });
  return has;
}

Result<void> Directory::check_administrators(bool there_was_one) const {
  if (!there_was_one || has_administrator()) return {};
  return Error(ErrorKind::kDenied, "nobody would be left who may administer this registry");
}

Task<Result<User>> Directory::create_user(const User& wanted) {
  const auto held = co_await changing_.lock();
  auto fits = check_login(wanted.name);
  if (!fits) co_return fits.error();
  if (!wanted.external_id.empty())  // who logs in for the first time may do so twice at once
    if (const User* there = external(wanted.source, wanted.external_id, wanted.name)) co_return *there;
  auto user = fresh(users_, "user", 'u', wanted);
  if (!user) co_return user;
  Edit edit;
  edit.put(users_, *user);
  if (user->administrator || user->auditor) tell_system(edit);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  co_return user;
}

Task<Result<User>> Directory::change_user(std::string name, IfVersion version, Change<User> change) {
  const auto held = co_await changing_.lock();
  auto before = present(users_, "user", name, version);
  if (!before) co_return before;
  User user = *before;
  auto changed = change(user);
  if (!changed) co_return changed.error();
  ++user.version;
  Edit edit;
  const bool there_was_one = has_administrator();
  edit.put(users_, user);
  auto led = check_administrators(there_was_one);
  if (!led) co_return led.error();
  const bool loses = (before->administrator && !user.administrator) || (before->auditor && !user.auditor);
  if (user.disabled != before->disabled || user.administrator != before->administrator ||
      user.auditor != before->auditor)
    tell_system(edit);
  if ((user.disabled && !before->disabled) || user.password_hash != before->password_hash || loses)
    tell_revoked(edit, user.id);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  co_return user;
}

Task<Result<User>> Directory::rename_user(std::string id, std::string name) {
  const auto held = co_await changing_.lock();
  auto fits = check_login(name);
  if (!fits) co_return fits.error();
  const User* before = users_.find(id);
  if (before == nullptr) co_return Error(ErrorKind::kNotFound, "there is no such user any more");
  if (before->name == name) co_return *before;  // another login was first
  if (users_.named(name) != nullptr) co_return already_there("user", name);
  User user = *before;
  user.name = name;
  ++user.version;
  Edit edit;
  edit.put(users_, user);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  co_return user;
}

Task<Result<void>> Directory::delete_user(std::string name, IfVersion version) {
  const auto held = co_await changing_.lock();
  auto user = present(users_, "user", name, version);
  if (!user) co_return user.error();
  Edit edit;
  const bool there_was_one = has_administrator();
  edit.erase(users_, *user);
  auto led = check_administrators(there_was_one);
  if (!led) co_return led;
  tell_revoked(edit, user->id);
  if (user->administrator || user->auditor) tell_system(edit);
  auto taken = take_grants_of(edit, {user->id});
  if (!taken) co_return taken;
  std::vector<Group> left;
  groups_.for_each([&](const Group& group) {
    if (std::ranges::find(group.members, user->id) != group.members.end()) left.push_back(group);
  });
  for (Group& group : left) {
    std::erase(group.members, user->id);
    ++group.version;
    edit.put(groups_, group);
  }
  co_return co_await commit(edit);
}

Task<Result<Group>> Directory::create_group(const Group& wanted) {
  const auto held = co_await changing_.lock();
  auto fits = check_login(wanted.name);
  if (!fits) co_return fits.error();
  auto group = fresh(groups_, "group", 'g', wanted);
  if (!group) co_return group;
  Edit edit;
  edit.put(groups_, *group);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  co_return group;
}

Task<Result<Group>> Directory::change_group(std::string name, IfVersion version, Change<Group> change) {
  const auto held = co_await changing_.lock();
  auto before = present(groups_, "group", name, version);
  if (!before) co_return before;
  Group group = *before;
  auto changed = change(group);
  if (!changed) co_return changed.error();
  ++group.version;
  Edit edit;
  edit.put(groups_, group);
  // Tokens say which groups their owner was in.
  for (const std::string& member : before->members)
    if (std::ranges::find(group.members, member) == group.members.end()) tell_revoked(edit, member);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  co_return group;
}

Task<Result<void>> Directory::delete_group(std::string name, IfVersion version) {
  const auto held = co_await changing_.lock();
  auto group = present(groups_, "group", name, version);
  if (!group) co_return group.error();
  Edit edit;
  edit.erase(groups_, *group);
  auto taken = take_grants_of(edit, {group->id});  // whoever has its id in a token has nothing by it any more
  if (!taken) co_return taken;
  co_return co_await commit(edit);
}

Task<Result<void>> Directory::revoke(std::string id) {
  const auto held = co_await changing_.lock();
  Edit edit;
  tell_revoked(edit, id);
  co_return co_await commit(edit);
}

}  // namespace wherry::identity
