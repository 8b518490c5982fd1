// AuditEvent: who did what to what, from where, and what came of it; its form as a line, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "master/audit/document.h"

namespace wherry::audit {

enum class ActorKind { kUser, kRobot, kNode, kAnonymous, kSystem };
enum class Outcome { kOk, kDenied, kFailed };

/// "user", "robot", "node", "anonymous", "system"; "ok", "denied", "failed".
std::string_view word_of(ActorKind kind);
std::string_view word_of(Outcome outcome);

/// Who did it: an id that never changes, and the name it had then.
struct AuditActor {
  std::string id;
  std::string name;
  ActorKind kind = ActorKind::kAnonymous;
};

/// What the log is told. Texts may be a client's: they are bounded and escaped when they are written, and secrets have
/// no member here; documents lose theirs (see document.h).
class AuditEvent {
 public:
  /// `action`: a dotted word such as "login", "token.issue", "repository.push", "tag.delete", "grant.set". `target`: a
  /// kind and a name, such as "project/team" or "repository/team/app:tag".
  AuditEvent(std::string action_word, std::string target_text);

  AuditActor actor;
  std::string action;
  std::string target;
  std::string remote;      ///< the address that it came from
  std::string via;         ///< the node that says so; empty: it was seen here
  std::string request_id;  ///< of the access log's line
  Outcome result = Outcome::kOk;
  std::string reason;  ///< why not, when it is not kOk
  AuditDocument before;
  AuditDocument after;
  std::optional<WallTime> time;  ///< when; without it, the moment in which the log is told
};

constexpr std::size_t kMaxTextBytes = 1024;  ///< of each text; a longer one is cut and ends in kCutMark
constexpr std::string_view kCutMark = "...(cut)";
/// Of a line with its newline: eight texts of which each byte is escaped, two documents, and the rest.
constexpr std::size_t kMaxLineBytes = 8 * kMaxTextBytes * 6 + 2 * AuditDocument::kMaxBytes + 2048;

/// A line of the log, read.
class AuditRecord {
 public:
  std::uint64_t sequence = 0;
  std::string previous_hash;  ///< hex SHA-256 of the line before
  AuditEvent event{{}, {}};   ///< its time is always there
  std::string line;           ///< as it stands in the file, without the newline
};

/// A line's part after the chain, from `"time"` to the last brace; `now` is for an event without a time.
std::string body_of(const AuditEvent& event, WallTime now);
/// A whole line, without the newline.
std::string line_of(std::uint64_t sequence, std::string_view previous_hash, std::string_view body);
/// Reads one. Errors: kCorrupt, saying what it lacks.
Result<AuditRecord> parse_record(std::string line);

/// "2026-11-24", "2026-11-24T14:15:58Z", with a fraction of a second, or with "+01:00" in the place of the Z; nothing
/// for anything else. Source: RFC 3339 and its full-date.
std::optional<WallTime> parse_time(std::string_view text);

}  // namespace wherry::audit
