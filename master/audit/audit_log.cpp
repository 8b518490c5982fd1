#include "master/audit/audit_log.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/check.h"
#include "common/base/log.h"

namespace wherry::audit {
namespace {

constexpr std::size_t kMaxHeadBytes = 128;  // of a line: what comes before its body

}  // namespace

/// A record on its way through the writer. Lives in the frame of the coroutine that waits for it.
struct AuditLog::Submission : Loop::Message {
  Submission(AuditLog& to, std::string line_body, Kind what) : log(to), body(std::move(line_body)), kind(what) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiting) {
    handle = waiting;
    home = &Loop::current();
    run = [](Message* self) { static_cast<Submission*>(self)->handle.resume(); };
    Result<void> taken = log.enqueue(std::move(body), kind, this);
    if (taken) return true;  // it may be answered already: its loop, which is here, resumes it later
    outcome = std::move(taken);
    return false;
  }
  Result<void> await_resume() { return std::move(outcome); }

  AuditLog& log;
  std::string body;
  const Kind kind;
  Loop* home = nullptr;
  std::coroutine_handle<> handle;
  Result<void> outcome;
};

Task<Result<std::unique_ptr<AuditLog>>> AuditLog::open(std::string folder, AuditOptions options, Pool& disk,
                                                       Metrics& metrics) {
  const auto find_end = [&folder, &options] { return Appender::open(folder, options); };
  auto appender = co_await disk.run(find_end);
  if (!appender) co_return appender.error();
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(folder), std::move(options), std::move(*appender), metrics));
  co_return log;
}

AuditLog::AuditLog(std::string folder, AuditOptions options, Appender appender, Metrics& metrics)
    : folder_(std::move(folder)),
      options_(std::move(options)),
      appender_(std::move(appender)),
      events_(metrics.counter("wherry_audit_events_total", "Events written to the audit log")),
      syncs_(metrics.counter("wherry_audit_syncs_total", "Syncs of the audit log, each of a group of events")),
      dropped_count_(metrics.counter("wherry_audit_dropped_total", "Events that found no room in the audit log")) {
  if (options_.syslog) syslog_ = std::make_unique<SyslogSender>(*options_.syslog, SyslogOrigin::here(), metrics);
  thread_ = std::thread([this] { serve(); });
}

AuditLog::~AuditLog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_one();
  thread_.join();
  appender_.give_back();
}

Task<Result<void>> AuditLog::record(AuditEvent event) {
  return written(body_of(event, options_.clock->wall()), Kind::kEvent);
}

Task<Result<void>> AuditLog::record(AuditEvent event, Room& room) {
  WHERRY_CHECK(room.log_ == this);
  room.log_ = nullptr;  // the writer counts it out
  return written(body_of(event, options_.clock->wall()), Kind::kEventWithRoom);
}

Task<Result<void>> AuditLog::written(std::string body, Kind kind) {
  Submission submission(*this, std::move(body), kind);
  co_return co_await submission;
}

Task<Result<AuditLog::Room>> AuditLog::room() {
  const bool too_many = rooms_.fetch_add(1) >= kMostRooms;
  Room room(*this);
  if (too_many)
    co_return Error(ErrorKind::kUnavailable, "{} changes are being made already; try again", kMostRooms)
        .with_retry_after(std::chrono::seconds(1));
  auto granted = co_await written(std::string(), Kind::kRoom);
  if (!granted) co_return granted.error();
  co_return std::move(room);
}

void AuditLog::note(AuditEvent event) {
  const Result<void> taken = enqueue(body_of(event, options_.clock->wall()), Kind::kEvent, nullptr);
  if (!taken) dropped_count_.add();
}

Result<void> AuditLog::enqueue(std::string body, Kind kind, Submission* waiting) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) {
      if (kind == Kind::kEventWithRoom) rooms_.fetch_sub(1);
      return *failure_;
    }
    const bool is_full = queue_.size() >= kQueueBound || queued_bytes_ + body.size() > kQueueBytes;
    if (is_full && kind == Kind::kEvent) {  // there are few rooms
      ++dropped_;  // one that somebody waits for, too: what it tells of may be done all the same
      return Error(ErrorKind::kUnavailable, "{} events are waiting for the audit log already; try again",
                   queue_.size());
    }
    queued_bytes_ += body.size();
    Entry entry;
    entry.body = std::move(body);
    entry.waiting = waiting;
    entry.kind = kind;
    queue_.push_back(std::move(entry));
  }
  filled_.notify_one();
  return {};
}

void AuditLog::serve() {
  ::pthread_setname_np(::pthread_self(), "audit-log");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the first loop's
  while (true) {
    std::vector<Entry> group;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return !queue_.empty() || ending_; });
      if (queue_.empty()) return;
      group.swap(queue_);
      queued_bytes_ = 0;
      if (dropped_ > 0) group.push_back(entry_of_dropped(std::exchange(dropped_, 0)));
    }
    Result<void> granted = grant_rooms(group);
    if (appender_.broken()) {
      settle(group, 0, group.size(), granted);
      fail_for_good(granted.error());
    } else {
      write(group);
    }
  }
}

Result<void> AuditLog::grant_rooms(std::vector<Entry>& group) {
  const auto wants = [](const Entry& entry) { return entry.kind == Kind::kRoom; };
  if (std::ranges::none_of(group, wants)) return {};
  Result<void> outcome;
  if (appender_.full()) outcome = rotate();
  if (outcome) outcome = appender_.reserve(promised_bytes());
  for (Entry& entry : group)
    if (wants(entry)) answer(*std::exchange(entry.waiting, nullptr), outcome);
  std::erase_if(group, wants);
  return outcome;
}

Result<void> AuditLog::rotate() {
  auto rotated = appender_.rotate(promised_bytes());
  const bool goes_on = !rotated && !appender_.broken() && appender_.has_file();
  if (goes_on && !told_of_rotation_)
    log::warn("the audit log cannot begin a new file and goes on in the present one",
              {{"error", rotated.error().to_string()}});
  told_of_rotation_ = goes_on;
  if (goes_on) return {};
  return rotated;
}

void AuditLog::write(std::vector<Entry>& group) {
  Result<void> outcome;
  std::size_t settled = 0;
  bool cannot_rotate = false;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (appender_.full() && !cannot_rotate) {
      outcome = commit(group, settled, i);
      settled = i;
      if (outcome) outcome = rotate();
      if (!outcome) break;
      cannot_rotate = appender_.full();
    }
    const std::uint64_t promised = promised_bytes();
    if (group[i].kind == Kind::kEvent && promised > 0) {
      // What somebody was promised is not for others.
      const auto has_room = appender_.reserve(promised + group[i].body.size() + kMaxHeadBytes);
      if (!has_room) {
        outcome = commit(group, settled, i);
        settled = i;
        if (!outcome) break;
        settle(group, i, i + 1, has_room);
        settled = i + 1;
        continue;
      }
    }
    appender_.add(group[i].body);
  }
  if (outcome) {
    outcome = commit(group, settled, group.size());
    settled = group.size();
  }
  if (outcome) return;
  settle(group, settled, group.size(), outcome);
  if (appender_.broken()) fail_for_good(outcome.error());
}

Result<void> AuditLog::commit(std::vector<Entry>& group, std::size_t from, std::size_t to) {
  if (from == to) return {};
  auto committed = appender_.commit();
  if (committed) {
    events_.add(to - from);
    syncs_.add();
    if (syslog_) syslog_->send(appender_.committed());
  }
  settle(group, from, to, committed);
  return committed;
}

void AuditLog::answer(Submission& waiting, const Result<void>& outcome) {
  waiting.outcome = outcome;
  waiting.home->send(waiting);  // the end of its life for us
}

void AuditLog::settle(std::vector<Entry>& group, std::size_t from, std::size_t to, const Result<void>& outcome) {
  std::uint64_t notes = 0;
  std::uint64_t told = 0;
  for (std::size_t i = from; i < to; ++i) {
    if (group[i].kind == Kind::kEventWithRoom) rooms_.fetch_sub(1);
    if (Submission* waiting = std::exchange(group[i].waiting, nullptr)) {
      answer(*waiting, outcome);
    } else if (group[i].dropped > 0) {
      told += group[i].dropped;
    } else {
      ++notes;
    }
  }
  if (outcome || notes + told == 0) return;
  dropped_count_.add(notes);
  const std::lock_guard lock(mutex_);
  dropped_ += notes + told;
}

void AuditLog::fail_for_good(const Error& error) {
  std::vector<Entry> waiting;
  {
    const std::lock_guard lock(mutex_);
    failure_ = error;
    waiting.swap(queue_);
  }
  settle(waiting, 0, waiting.size(), error);
  log::error("the audit log is broken", {{"error", error.to_string()}});
  if (options_.on_fatal) options_.on_fatal(error);
}

AuditLog::Entry AuditLog::entry_of_dropped(std::uint64_t count) const {
  AuditEvent event("audit.dropped", "audit");
  event.actor.kind = ActorKind::kSystem;
  event.result = Outcome::kFailed;
  event.reason = std::to_string(count) + " events before this one found no room in the audit log";
  nlohmann::ordered_json events;
  events["events"] = count;
  event.after = AuditDocument(events);
  Entry entry;
  entry.body = body_of(event, options_.clock->wall());
  entry.dropped = count;
  return entry;
}

}  // namespace wherry::audit
