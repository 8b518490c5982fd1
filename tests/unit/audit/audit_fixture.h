// An audit log in a folder that is gone with its test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "master/audit/audit_log.h"
#include "master/audit/reader.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::audit {

inline AuditEvent event_of(const std::string& action, const std::string& target = "project/team",
                           const std::string& actor = "alice") {
  AuditEvent event(action, target);
  event.actor = {"u-1", actor, ActorKind::kUser};
  event.remote = "10.0.0.7";
  event.request_id = "r-1";
  return event;
}

/// An event with a document of about so many bytes.
inline AuditEvent large_event(std::size_t bytes) {
  AuditEvent event = event_of("large");
  event.after = AuditDocument(nlohmann::ordered_json(std::string(bytes, 'x')));
  return event;
}

inline std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  const std::string text = wherry::testing::read_file(path);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

class AuditFolder : public ::testing::Test {
 protected:
  std::string folder() const { return dir_ / "audit"; }
  std::string file(std::uint64_t first) const { return folder() + "/" + segment_name(first); }

  Result<std::unique_ptr<AuditLog>> try_open(const AuditOptions& options = AuditOptions()) {
    return wherry::testing::run_task(AuditLog::open(folder(), options, disk_, metrics_));
  }
  std::unique_ptr<AuditLog> open(const AuditOptions& options = AuditOptions()) {
    auto log = try_open(options);
    EXPECT_TRUE(log) << log.error().to_string();
    return log ? std::move(*log) : nullptr;
  }
  static Result<void> record(AuditLog& log, AuditEvent event) {
    return wherry::testing::run_task(log.record(std::move(event)));
  }
  /// The same for many, one after another, on one loop: each of run_task() stays open to the end of the process.
  static Result<void> record_all(AuditLog& log, std::vector<AuditEvent> events) {
    return wherry::testing::run_task(one_after_another(&log, std::move(events)));
  }
  static Task<Result<void>> one_after_another(AuditLog* log, std::vector<AuditEvent> events) {
    for (const AuditEvent& event : events) {
      auto recorded = co_await log->record(event);
      if (!recorded) co_return recorded;
    }
    co_return Result<void>();
  }
  /// Writes `count` events, three or so a file of `rotate_bytes`, and closes the log.
  void write_events(int count, std::uint64_t rotate_bytes = 1024) {
    AuditOptions options;
    options.rotate_bytes = rotate_bytes;
    auto log = open(options);
    ASSERT_TRUE(log);
    std::vector<AuditEvent> events;
    for (int i = 0; i < count; ++i)
      events.push_back(event_of("tag.delete", "repository/team/app:" + std::to_string(i)));
    auto recorded = record_all(*log, std::move(events));
    ASSERT_TRUE(recorded) << recorded.error().to_string();
  }
  AuditVerdict verdict() const {
    auto found = AuditReader(folder()).verify();
    EXPECT_TRUE(found) << found.error().to_string();
    return found.value_or(AuditVerdict());
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }
  std::string metric(const std::string& name) {
    const std::string text = metrics_.text();
    const auto at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "absent";
    const auto begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  wherry::testing::TempDir dir_;
  Pool disk_{"disk", 1};
  Metrics metrics_{"test"};
};

}  // namespace wherry::audit
