// The users and groups of a Directory.
#include <algorithm>

#include "master/identity/directory.h"

namespace wherry::identity {

Result<void> Directory::keep_an_administrator(const User& changed, bool is_gone) const {
  bool is_left = !is_gone && changed.administrator && !changed.disabled;
  bool was = false;
  users_.for_each([&](const User& user) {
    const bool counts = user.administrator && !user.disabled;
    was = was || counts;
    is_left = is_left || (counts && user.id != changed.id);
  });
  if (is_left || !was) return {};
  return Error(ErrorKind::kDenied, "nobody would be left who may administer this registry");
}

Task<Result<User>> Directory::create_user(const User& wanted) {
  const auto held = co_await changing_.lock();
  User user = wanted;
  auto fits = check_login(user.name);
  if (!fits) co_return fits.error();
  if (users_.named(user.name) != nullptr) co_return already_there("user", user.name);
  if (users_.size() >= kMostOfAKind)
    co_return Error(ErrorKind::kTooLarge, "there are {} users: no more fit", kMostOfAKind);
  user.id = new_id('u');
  user.version = 1;
  user.created = clock_.wall();
  Edit edit;
  put(edit, user);
  if (user.administrator || user.auditor) tell_system(edit, user, false);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  users_.put(user);
  co_return user;
}

Task<Result<User>> Directory::change_user(std::string name, IfVersion version, Change<User> change) {
  const auto held = co_await changing_.lock();
  const User* present = users_.named(name);
  if (present == nullptr) co_return not_there("user", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same.error();
  const User before = *present;
  User user = before;
  auto changed = change(user);
  if (!changed) co_return changed.error();
  auto led = keep_an_administrator(user, false);
  if (!led) co_return led.error();
  ++user.version;
  Edit edit;
  put(edit, user);
  const bool loses = (before.administrator && !user.administrator) || (before.auditor && !user.auditor);
  if (user.disabled != before.disabled || user.administrator != before.administrator || user.auditor != before.auditor)
    tell_system(edit, user, false);
  if ((user.disabled && !before.disabled) || user.password_hash != before.password_hash || loses)
    tell_revoked(edit, user.id);
  users_.put(user);  // whoever logs in while this is written meets what will be
  auto written = co_await commit(edit);
  if (written) co_return user;
  users_.put(before);
  co_return written.error();
}

Task<Result<void>> Directory::delete_user(std::string name, IfVersion version) {
  const auto held = co_await changing_.lock();
  const User* present = users_.named(name);
  if (present == nullptr) co_return not_there("user", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same;
  const User user = *present;
  auto led = keep_an_administrator(user, true);
  if (!led) co_return led;
  Edit edit;
  edit.erases.push_back(key_of(user));
  tell_revoked(edit, user.id);
  if (user.administrator || user.auditor) tell_system(edit, user, true);
  auto projects = without_grants_of(edit, user.id);
  if (!projects) co_return projects.error();
  std::vector<Group> left;
  groups_.for_each([&](const Group& group) {
    if (std::ranges::find(group.members, user.id) == group.members.end()) return;
    left.push_back(group);
    std::erase(left.back().members, user.id);
    ++left.back().version;
    put(edit, left.back());
  });
  auto written = co_await commit(edit);
  if (!written) co_return written;
  users_.erase(user.id);
  for (const Project& project : *projects) projects_.put(project);
  for (const Group& group : left) groups_.put(group);
  co_return written;
}

Task<Result<Group>> Directory::create_group(const Group& wanted) {
  const auto held = co_await changing_.lock();
  Group group = wanted;
  auto fits = check_login(group.name);
  if (!fits) co_return fits.error();
  if (groups_.named(group.name) != nullptr) co_return already_there("group", group.name);
  if (groups_.size() >= kMostOfAKind)
    co_return Error(ErrorKind::kTooLarge, "there are {} groups: no more fit", kMostOfAKind);
  group.id = new_id('g');
  group.version = 1;
  group.created = clock_.wall();
  Edit edit;
  put(edit, group);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  groups_.put(group);
  co_return group;
}

Task<Result<Group>> Directory::change_group(std::string name, IfVersion version, Change<Group> change) {
  const auto held = co_await changing_.lock();
  const Group* present = groups_.named(name);
  if (present == nullptr) co_return not_there("group", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same.error();
  Group group = *present;
  const std::vector<std::string> before = group.members;
  auto changed = change(group);
  if (!changed) co_return changed.error();
  ++group.version;
  Edit edit;
  put(edit, group);
  // Tokens say which groups their owner was in.
  for (const std::string& member : before)
    if (std::ranges::find(group.members, member) == group.members.end()) tell_revoked(edit, member);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  groups_.put(group);
  co_return group;
}

Task<Result<void>> Directory::delete_group(std::string name, IfVersion version) {
  const auto held = co_await changing_.lock();
  const Group* present = groups_.named(name);
  if (present == nullptr) co_return not_there("group", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same;
  const Group group = *present;
  Edit edit;
  edit.erases.push_back(key_of(group));
  auto projects = without_grants_of(edit, group.id);  // whoever has its id in a token has nothing by it any more
  if (!projects) co_return projects.error();
  auto written = co_await commit(edit);
  if (!written) co_return written;
  groups_.erase(group.id);
  for (const Project& project : *projects) projects_.put(project);
  co_return written;
}

Task<Result<void>> Directory::revoke(std::string id) {
  const auto held = co_await changing_.lock();
  Edit edit;
  tell_revoked(edit, id);
  co_return co_await commit(edit);
}

}  // namespace wherry::identity
