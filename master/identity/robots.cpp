// The robots and sessions of a Directory.
#include <algorithm>

#include "common/base/log.h"
#include "common/kv/for_each_row.h"
#include "master/identity/directory.h"

namespace wherry::identity {
namespace {

constexpr std::chrono::minutes kUseIsNotedEvery{1};

std::string session_prefix() { return {kIdentityTable, 's'}; }

}  // namespace

Task<Result<Robot>> Directory::create_robot(const Robot& wanted, const std::vector<GrantRecord>& grants) {
  const auto held = co_await changing_.lock();
  Robot robot = wanted;
  if (robots_.named(robot.name) != nullptr) co_return already_there("robot", robot.name);
  if (robots_.size() >= kMostOfAKind)
    co_return Error(ErrorKind::kTooLarge, "there are {} robots: no more fit", kMostOfAKind);
  robot.id = new_id('r');
  robot.version = 1;
  robot.created = clock_.wall();
  Edit edit;
  put(edit, robot);
  std::optional<Project> project;
  if (!grants.empty()) {
    const Project* of = projects_.find(robot.project);
    if (of == nullptr) co_return not_there("project", robot.project);
    project = *of;
    for (GrantRecord grant : grants) {
      grant.id = new_id('n');
      grant.subject = robot.id;
      project->grants.push_back(std::move(grant));
    }
    ++project->version;
    robots_.put(robot);  // so that it can be granted something
    auto granted = check_grants(project->grants);
    robots_.erase(robot.id);
    if (granted) granted = tell(edit, *project);
    if (!granted) co_return granted.error();
    put(edit, *project);
  }
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  robots_.put(robot);
  if (project) projects_.put(*project);
  co_return robot;
}

Task<Result<Robot>> Directory::change_robot(std::string name, IfVersion version, Change<Robot> change) {
  const auto held = co_await changing_.lock();
  const Robot* present = robots_.named(name);
  if (present == nullptr) co_return not_there("robot", name);
  auto is_same = check_version(*present, version);
  if (!is_same) co_return is_same.error();
  const Robot before = *present;
  Robot robot = before;
  auto changed = change(robot);
  if (!changed) co_return changed.error();
  ++robot.version;
  // What a secret gave ends with it.
  const bool ended = std::ranges::any_of(before.secrets, [&](const Robot::Secret& old) {
    return std::ranges::none_of(robot.secrets, [&](const Robot::Secret& each) { return each.hash == old.hash; });
  });
  Edit edit;
  put(edit, robot);
  if ((robot.disabled && !before.disabled) || ended) tell_revoked(edit, robot.id);
  robots_.put(robot);
  auto written = co_await commit(edit);
  if (written) co_return robot;
  robots_.put(before);
  co_return written.error();
}

Task<Result<void>> Directory::delete_robot(std::string name) {
  const auto held = co_await changing_.lock();
  const Robot* present = robots_.named(name);
  if (present == nullptr) co_return not_there("robot", name);
  const Robot robot = *present;
  Edit edit;
  edit.erases.push_back(key_of(robot));
  tell_revoked(edit, robot.id);
  auto projects = without_grants_of(edit, robot.id);
  if (!projects) co_return projects.error();
  auto written = co_await commit(edit);
  if (!written) co_return written;
  robots_.erase(robot.id);
  for (const Project& project : *projects) projects_.put(project);
  co_return written;
}

Task<void> Directory::note_use(std::string robot_id) {
  const auto held = co_await changing_.lock();
  const Robot* present = robots_.find(robot_id);
  const WallTime now = clock_.wall();
  if (present == nullptr || (present->last_used && now - *present->last_used < kUseIsNotedEvery)) co_return;
  Robot robot = *present;
  robot.last_used = now;
  Edit edit;
  put(edit, robot);
  auto written = co_await commit(edit, kv::Durability::kLazy);
  if (written)
    robots_.put(robot);
  else
    log::warn("the last use of a robot could not be noted", {{"error", written.error().to_string()}});
}

Task<Result<void>> Directory::begin_session(const Session& session) {
  Edit edit;
  edit.puts.emplace_back(session_prefix() + session.hash, dumped(session.to_row()));
  co_return co_await commit(edit);
}

Task<Result<std::optional<Session>>> Directory::session(std::string hash) {
  auto row = co_await store_.get(session_prefix() + hash);
  if (!row) co_return row.error();
  if (!*row) co_return std::optional<Session>();
  auto session = Session::from_row(Json::parse(**row, nullptr, false));
  if (!session) co_return session.error();
  co_return std::optional<Session>(std::move(*session));
}

Task<Result<void>> Directory::end_sessions_of(std::string user_id) {
  Edit edit;
  const kv::VisitRow look = [&](std::string_view key, std::string_view text) -> Result<void> {
    auto session = Session::from_row(Json::parse(text, nullptr, false));
    const bool is_over = session && session->expires < clock_.wall();
    if (!session || is_over || session->user == user_id) edit.erases.emplace_back(key);
    return {};
  };
  auto looked = co_await kv::for_each_row(store_, session_prefix(), look);
  if (!looked || edit.erases.empty()) co_return looked;
  co_return co_await commit(edit);
}

}  // namespace wherry::identity
