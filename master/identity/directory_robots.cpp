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
  auto robot = fresh(robots_, "robot", 'r', wanted);
  if (!robot) co_return robot;
  const Project* of = projects_.find(robot->project);
  if (of == nullptr) co_return not_there("project", robot->project);
  Project project = *of;
  for (GrantRecord grant : grants) {
    grant.id = new_id('n');
    grant.subject = robot->id;
    project.grants.push_back(std::move(grant));
  }
  ++project.version;
  Edit edit;
  edit.put(robots_, *robot);
  auto granted = check_grants(project.grants);
  if (granted) granted = tell(edit, project);
  edit.put(projects_, project);
  if (granted) granted = co_await commit(edit);
  if (!granted) co_return granted.error();
  co_return robot;
}

Task<Result<Robot>> Directory::change_robot(std::string name, IfVersion version, Change<Robot> change) {
  const auto held = co_await changing_.lock();
  auto before = present(robots_, "robot", name, version);
  if (!before) co_return before;
  Robot robot = *before;
  auto changed = change(robot);
  if (!changed) co_return changed.error();
  ++robot.version;
  // What a secret gave ends with it.
  const bool ended = std::ranges::any_of(before->secrets, [&](const Robot::Secret& old) {
    return std::ranges::none_of(robot.secrets, [&](const Robot::Secret& each) { return each.hash == old.hash; });
  });
  Edit edit;
  edit.put(robots_, robot);
  if ((robot.disabled && !before->disabled) || ended) tell_revoked(edit, robot.id);
  auto written = co_await commit(edit);
  if (!written) co_return written.error();
  co_return robot;
}

Task<Result<void>> Directory::delete_robot(std::string name) {
  const auto held = co_await changing_.lock();
  auto robot = present(robots_, "robot", name, std::nullopt);
  if (!robot) co_return robot.error();
  Edit edit;
  edit.erase(robots_, *robot);
  tell_revoked(edit, robot->id);
  auto taken = take_grants_of(edit, {robot->id});
  if (!taken) co_return taken;
  co_return co_await commit(edit);
}

Task<void> Directory::note_use(std::string robot_id) {
  const auto held = co_await changing_.lock();
  const Robot* present = robots_.find(robot_id);
  const WallTime now = clock_.wall();
  if (present == nullptr || (present->last_used && now - *present->last_used < kUseIsNotedEvery)) co_return;
  Robot robot = *present;
  robot.last_used = now;
  Edit edit;
  edit.put(robots_, robot);
  auto written = co_await commit(edit, kv::Durability::kLazy);
  if (!written) log::warn("the last use of a robot could not be noted", {{"error", written.error().to_string()}});
}

Task<Result<void>> Directory::begin_session(const Session& session) {
  Edit edit;
  edit.rows.emplace_back(session_prefix() + session.hash, dumped(session.to_row()));
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
    if (!session || is_over || session->user == user_id) edit.erased_rows.emplace_back(key);
    return {};
  };
  auto looked = co_await kv::for_each_row(store_, session_prefix(), look);
  if (!looked || edit.erased_rows.empty()) co_return looked;
  co_return co_await commit(edit);
}

}  // namespace wherry::identity
