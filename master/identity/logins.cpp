#include "master/identity/logins.h"

#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/async/at_home.h"
#include "common/auth/account_name.h"
#include "common/auth/password_hash.h"
#include "common/auth/signed_request.h"
#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "master/audit/actor.h"

namespace wherry::identity {
namespace {

constexpr int kNiceness = 10;

Error wrong() { return Error(ErrorKind::kUnauthorized, "name or password is wrong"); }

/// Of the calling thread: Linux has it by thread.
void give_way() {
  thread_local const bool gives_way = ::setpriority(PRIO_PROCESS, 0, kNiceness) == 0;
  (void)gives_way;
}

}  // namespace

MasterLogins::MasterLogins(Directory& directory, audit::AuditLog* audit, const Clock& clock)
    : directory_(directory),
      audit_(audit),
      clock_(clock),
      home_(Loop::current()),
      guard_(clock),
      hashers_("passwords", kHashers),
      seed_(random_hex(32)) {}

Result<void> MasterLogins::take_turn() {
  if (waiting_ >= kMostWaiting)
    return Error(ErrorKind::kTooManyRequests, "too many are logging in just now")
        .with_retry_after(std::chrono::seconds(2));
  ++waiting_;
  return {};
}

Task<Result<bool>> MasterLogins::fits(std::string password, std::string hash) {
  auto turn = take_turn();
  if (!turn) co_return turn.error();
  auto fit = co_await hashers_.run([&]() -> Result<bool> {
    give_way();
    return auth::password_fits(password, hash);
  });
  --waiting_;
  co_return fit;
}

Task<Result<std::string>> MasterLogins::hash(std::string password) {
  auto turn = take_turn();
  if (!turn) co_return turn.error();
  auto hashed = co_await hashers_.run([&]() -> Result<std::string> {
    give_way();
    return auth::hash_password(password);
  });
  --waiting_;
  co_return hashed;
}

Result<auth::Identity> MasterLogins::identity_of(const User& user, std::vector<std::string> groups) const {
  if (user.disabled) return wrong();
  if (user.must_change_password)
    return Error(
        ErrorKind::kDenied,
        "{} has to change the password first: wherry-master user password {}, or PUT /api/v1/users/{}/password",
        user.name, user.name, user.name);
  auth::Identity who;
  who.kind = auth::Identity::Kind::kUser;
  who.id = user.id;
  who.name = user.name;
  who.groups = std::move(groups);
  who.as_of = clock_.wall();
  return who;
}

Task<Result<User>> MasterLogins::check_user(const auth::LoginAttempt& attempt) {
  auto may_try = guard_.check(attempt.name, attempt.remote, attempt.via);
  if (!may_try) co_return may_try.error();
  const User* known = directory_.users().named(attempt.name);
  const bool is_local = known != nullptr && known->source == Source::kLocal;
  const std::string id = is_local ? known->id : std::string();
  const std::string hash = is_local ? known->password_hash : std::string();
  if (was_right_lately(attempt, hash)) co_return *known;
  auto fit = co_await fits(attempt.password, hash);
  if (!fit) co_return fit.error();
  known = directory_.users().find(id);
  // Meanwhile it may have been changed.
  if (!*fit || known == nullptr || known->disabled || known->password_hash != hash) {
    guard_.was_wrong(attempt.name, attempt.remote, attempt.via);
    co_return wrong();
  }
  guard_.was_right(attempt.name, attempt.remote, attempt.via);
  remember(attempt, hash);
  co_return *known;
}

std::string MasterLogins::memory_key(const auth::LoginAttempt& attempt) const {
  const std::string text = seed_ + attempt.name + '\0' + attempt.password;
  return to_hex(sha256(text));
}

bool MasterLogins::was_right_lately(const auth::LoginAttempt& attempt, const std::string& hash) const {
  const auto found = right_.find(memory_key(attempt));
  const User* user = directory_.users().named(attempt.name);
  return !hash.empty() && found != right_.end() && found->second.hash == hash &&
         found->second.until > clock_.monotonic() && user != nullptr && !user->disabled;
}

void MasterLogins::remember(const auth::LoginAttempt& attempt, const std::string& hash) {
  if (right_.size() >= kMostRight) right_.clear();
  right_.insert_or_assign(memory_key(attempt), Right{hash, clock_.monotonic() + kRightFor});
}

Task<void> MasterLogins::rename(const User& known, const Person& person) {
  const std::string before = known.name;
  auto renamed = co_await directory_.rename_user(known.id, person.name);
  if (!renamed) {
    log::warn("a user keeps a name that is another one in another source",
              {{"before", before}, {"name", person.name}, {"why", renamed.error().message()}});
    co_return;
  }
  log::info("a user has another name in another source", {{"before", before}, {"name", person.name}});
  if (audit_ == nullptr) co_return;
  audit::AuditEvent event("user.rename", "user/" + before);
  event.actor = {.id = renamed->id, .name = renamed->name, .kind = audit::ActorKind::kUser};
  event.before = audit::AuditDocument(nlohmann::ordered_json{{"name", before}});
  event.after = audit::AuditDocument(nlohmann::ordered_json{{"name", renamed->name}});
  audit_->note(std::move(event));
}

Task<Result<auth::Identity>> MasterLogins::admit(Source source, const Person& person) {
  const User* known = directory_.external(source, person.external_id, person.name);
  if (known == nullptr) {
    User user;
    user.name = person.name;
    user.source = source;
    user.external_id = person.external_id;
    user.mail = person.mail;
    auto made = co_await directory_.create_user(user);
    if (!made) {
      log::warn("somebody whom another server vouches for is not let in",
                {{"source", std::string(name_of(source))}, {"name", person.name}, {"why", made.error().message()}});
      co_return wrong();
    }
    known = directory_.users().find(made->id);
  } else if (!person.names.empty() && std::ranges::find(person.names, known->name) == person.names.end()) {
    const std::string id = known->id;
    co_await rename(*known, person);
    known = directory_.users().find(id);
  }
  if (known == nullptr) co_return wrong();
  co_return identity_of(*known, directory_.groups_of(*known, person.groups));
}

/// The session's secret has 256 random bits: hashing is for who has none that fits, so that it takes as long as a wrong
/// password and does not tell whom the provider knows.
Task<Result<auth::Identity>> MasterLogins::log_in_by_session(const auth::LoginAttempt& attempt) {
  auto may_try = guard_.check(attempt.name, attempt.remote, attempt.via);
  if (!may_try) co_return may_try.error();
  auto who = co_await by_session(attempt.password);
  if (!who && who.error().kind() != ErrorKind::kUnauthorized) co_return who.error();
  if (who && who->name == attempt.name) {
    guard_.was_right(attempt.name, attempt.remote, attempt.via);
    co_return who;
  }
  const std::string no_hash;
  auto fit = co_await fits(attempt.password, no_hash);
  if (!fit) co_return fit.error();
  guard_.was_wrong(attempt.name, attempt.remote, attempt.via);
  co_return wrong();
}

Task<Result<auth::Identity>> MasterLogins::by_session(const std::string& secret) {
  const Error over(ErrorKind::kUnauthorized, "this session is over: log in again");
  auto session = co_await directory_.session(auth::secret_hash_of(secret));
  if (!session) co_return session.error();
  if (!*session || (*session)->expires <= clock_.wall()) co_return over;
  const User* user = directory_.users().find((*session)->user);
  if (user == nullptr) co_return over;
  // Another server says who is still there, and in which groups: it is asked again before long.
  if (user->source != Source::kLocal && (*session)->created + kForeignSessionLasts <= clock_.wall()) co_return over;
  // What was revoked since it began does not count.
  if (directory_.policy().is_revoked(user->id, (*session)->created)) co_return over;
  std::vector<std::string> groups = directory_.groups_of(*user, {});
  for (const std::string& group : (*session)->groups)
    if (directory_.groups().find(group) != nullptr && std::ranges::find(groups, group) == groups.end())
      groups.push_back(group);
  auto who = identity_of(*user, std::move(groups));
  if (who) who->session_began = (*session)->created;
  co_return who;
}

Task<Result<auth::Identity>> MasterLogins::log_in_user(const auth::LoginAttempt& typed) {
  auth::LoginAttempt attempt = typed;  // whoever is a user here is not somebody else for being typed otherwise
  attempt.name = auth::account_of(typed.name);
  const User* known = directory_.users().named(attempt.name);
  if (known != nullptr && known->source == Source::kOidc) co_return co_await log_in_by_session(attempt);
  const bool is_local = known != nullptr && known->source == Source::kLocal;
  if (is_local || sources_.empty()) {
    auto user = co_await check_user(attempt);
    if (!user) co_return user.error();
    co_return identity_of(*user, directory_.groups_of(*user, {}));
  }
  auto may_try = guard_.check(attempt.name, attempt.remote, attempt.via);
  if (!may_try) co_return may_try.error();
  const std::optional<Source> alone = known == nullptr ? std::nullopt : std::optional(known->source);
  Error last = wrong();
  for (PasswordSource* source : sources_) {
    if (alone && *alone != source->source()) continue;
    auto person = co_await source->log_in(typed.name, attempt.password);
    if (person) {
      auto who = co_await admit(source->source(), *person);
      // Of nobody else: what they typed may be another one of their names, which is none of a user's here.
      if (who) guard_.was_right(who->name, attempt.remote, attempt.via);
      co_return who;
    }
    if (person.error().kind() != ErrorKind::kUnauthorized) last = person.error();
  }
  if (last.kind() == ErrorKind::kUnauthorized) guard_.was_wrong(attempt.name, attempt.remote, attempt.via);
  co_return last;
}

/// A robot's secret has 256 random bits: nobody finds it by trying, so that trying locks nobody out.
Task<Result<auth::Identity>> MasterLogins::log_in_robot(const auth::LoginAttempt& attempt) {
  const WallTime now = clock_.wall();
  const Robot* robot = directory_.robots().named(std::string_view(attempt.name).substr(kRobotPrefix.size()));
  const std::string hash = auth::secret_hash_of(attempt.password);
  bool is_right = false;
  if (robot != nullptr)
    for (const Robot::Secret& secret : robot->secrets)
      if ((!secret.expires || *secret.expires > now) && auth::equal_secrets(secret.hash, hash)) is_right = true;
  if (!is_right || robot->disabled || (robot->expires && *robot->expires <= now)) co_return wrong();
  auth::Identity who;
  who.kind = auth::Identity::Kind::kRobot;
  who.id = robot->id;
  who.name = attempt.name;
  who.as_of = now;
  co_await directory_.note_use(who.id);
  co_return who;
}

/// Attempts that were not looked at, for there were too many, are not written down: they would fill the log.
void MasterLogins::note(const char* action, const std::string& account, const std::string& remote,
                        const Result<auth::Identity>& who, const std::string& via) {
  if (audit_ == nullptr || (!who && who.error().kind() == ErrorKind::kTooManyRequests)) return;
  audit::AuditEvent event(action, "account/" + account);
  event.remote = remote;
  event.via = via;
  if (who) event.actor = audit::actor_of(*who);
  if (!who) {
    event.result = who.error().kind() == ErrorKind::kUnavailable ? audit::Outcome::kFailed : audit::Outcome::kDenied;
    event.reason = who.error().message();
  }
  audit_->note(std::move(event));
}

Task<Result<auth::Identity>> MasterLogins::log_in(const auth::LoginAttempt& attempt) {
  // What cannot be anybody's is not looked at, and not written down.
  const bool can_be = !attempt.name.empty() && attempt.name.size() <= kMostNameBytes && !attempt.password.empty() &&
                      attempt.password.size() <= auth::kMostPasswordBytes;
  if (!can_be) co_return wrong();
  const std::function<Task<Result<auth::Identity>>()> logging_in = [&] { return log_in_here(attempt); };
  co_return co_await at_home(home_, logging_in);
}

Task<Result<auth::Identity>> MasterLogins::log_in_here(const auth::LoginAttempt& attempt) {
  Result<auth::Identity> who = wrong();
  if (attempt.name.starts_with(kRobotPrefix))
    who = co_await log_in_robot(attempt);
  else
    who = co_await log_in_user(attempt);
  note("login", attempt.name, attempt.remote, who, attempt.via);
  co_return who;
}

}  // namespace wherry::identity
