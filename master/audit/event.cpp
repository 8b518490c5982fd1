#include "master/audit/event.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/json.h"

namespace wherry::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kActorKinds = {ActorKind::kUser, ActorKind::kRobot, ActorKind::kNode, ActorKind::kAnonymous,
                                    ActorKind::kSystem};
constexpr std::array kOutcomes = {Outcome::kOk, Outcome::kDenied, Outcome::kFailed};

void append_bounded(std::string& out, std::string_view text) {
  if (text.size() <= kMaxTextBytes) return append_json_string(out, text);
  std::size_t most = kMaxTextBytes - kCutMark.size();
  const auto continues = [text](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  for (int back = 0; back < 3 && continues(most); ++back) --most;  // not in the middle of a character
  append_json_string(out, std::string(text.substr(0, most)) + std::string(kCutMark));
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += fmt::format(R"(,"{}":)", name);
  append_bounded(out, text);
}

void append_document(std::string& out, std::string_view name, const AuditDocument& document) {
  if (!document.empty()) out += fmt::format(R"(,"{}":{})", name, document.json());
}

const Json* find(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

/// False when it is there and is no text, or when it has to be there and is not.
bool take_string(const Json& object, const char* name, std::string& into, bool required = true) {
  const Json* value = find(object, name);
  if (value == nullptr) return !required;
  if (!value->is_string()) return false;
  into = value->get<std::string>();
  return true;
}

template <class Choices, class Choice>
bool take_word(const Json& object, const char* name, const Choices& choices, Choice& into) {
  std::string word;
  if (!take_string(object, name, word)) return false;
  for (const Choice choice : choices)
    if (word_of(choice) == word) {
      into = choice;
      return true;
    }
  return false;
}

AuditDocument document_in(const Json& object, const char* name) {
  const Json* value = find(object, name);
  return value == nullptr ? AuditDocument() : AuditDocument(*value);
}

/// The name of the first member that is not as it should be; null when all are.
const char* read_members(const Json& json, AuditRecord& record) {
  const Json* sequence = find(json, "seq");
  if (sequence == nullptr || !sequence->is_number_unsigned()) return "seq";
  record.sequence = sequence->get<std::uint64_t>();
  if (!take_string(json, "prev", record.previous_hash)) return "prev";
  AuditEvent& event = record.event;
  std::string time;
  if (take_string(json, "time", time)) event.time = parse_time(time);
  if (!event.time) return "time";
  const Json* actor = find(json, "actor");
  if (actor == nullptr || !actor->is_object()) return "actor";
  if (!take_string(*actor, "id", event.actor.id)) return "actor.id";
  if (!take_string(*actor, "name", event.actor.name)) return "actor.name";
  if (!take_word(*actor, "kind", kActorKinds, event.actor.kind)) return "actor.kind";
  if (!take_string(json, "action", event.action)) return "action";
  if (!take_string(json, "target", event.target)) return "target";
  if (!take_string(json, "remote", event.remote)) return "remote";
  if (!take_string(json, "via", event.via, false)) return "via";
  if (!take_string(json, "request_id", event.request_id)) return "request_id";
  if (!take_word(json, "result", kOutcomes, event.result)) return "result";
  if (!take_string(json, "reason", event.reason, false)) return "reason";
  event.before = document_in(json, "before");
  event.after = document_in(json, "after");
  return nullptr;
}

}  // namespace

std::string_view word_of(ActorKind kind) {
  switch (kind) {
    case ActorKind::kUser: return "user";
    case ActorKind::kRobot: return "robot";
    case ActorKind::kNode: return "node";
    case ActorKind::kAnonymous: return "anonymous";
    case ActorKind::kSystem: return "system";
  }
  return "anonymous";
}

std::string_view word_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk: return "ok";
    case Outcome::kDenied: return "denied";
    case Outcome::kFailed: return "failed";
  }
  return "failed";
}

AuditEvent::AuditEvent(std::string action_word, std::string target_text)
    : action(std::move(action_word)), target(std::move(target_text)) {}

std::string body_of(const AuditEvent& event, WallTime now) {
  std::string out = fmt::format(R"("time":"{}","actor":{{"id":)", to_rfc3339(event.time.value_or(now)));
  append_bounded(out, event.actor.id);
  append_member(out, "name", event.actor.name);
  out += fmt::format(R"(,"kind":"{}"}})", word_of(event.actor.kind));
  append_member(out, "action", event.action);
  append_member(out, "target", event.target);
  append_member(out, "remote", event.remote);
  if (!event.via.empty()) append_member(out, "via", event.via);
  append_member(out, "request_id", event.request_id);
  out += fmt::format(R"(,"result":"{}")", word_of(event.result));
  if (!event.reason.empty()) append_member(out, "reason", event.reason);
  append_document(out, "before", event.before);
  append_document(out, "after", event.after);
  out.push_back('}');
  return out;
}

std::string line_of(std::uint64_t sequence, std::string_view previous_hash, std::string_view body) {
  return fmt::format(R"({{"seq":{},"prev":"{}",{})", sequence, previous_hash, body);
}

Result<AuditRecord> parse_record(std::string line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return Error(ErrorKind::kCorrupt, "is not a JSON object");
  AuditRecord record;
  if (const char* wrong = read_members(json, record); wrong != nullptr)
    return Error(ErrorKind::kCorrupt, "has no \"{}\" of an audit event", wrong);
  record.line = std::move(line);
  return record;
}

std::optional<WallTime> parse_time(std::string_view text) {
  const auto number = [&text](std::size_t at, std::size_t digits, std::int64_t most) -> std::optional<std::int64_t> {
    if (text.size() < at + digits) return std::nullopt;
    std::int64_t value = 0;
    for (const char c : text.substr(at, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    return value <= most ? std::optional(value) : std::nullopt;
  };
  const auto stands = [&text](std::size_t at, char c) { return text.size() > at && text[at] == c; };
  const auto year = number(0, 4, 9999), month = number(5, 2, 12), day = number(8, 2, 31);
  if (!year || !month || !day || !stands(4, '-') || !stands(7, '-')) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  WallTime time = std::chrono::sys_days(date);
  if (text.size() == 10) return time;
  const auto hour = number(11, 2, 23), minute = number(14, 2, 59), second = number(17, 2, 60);
  if (!hour || !minute || !second || !(stands(10, 'T') || stands(10, 't')) || !stands(13, ':') || !stands(16, ':'))
    return std::nullopt;
  time += std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  std::size_t at = 19;
  if (stands(at, '.')) {
    int unit = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      time += std::chrono::milliseconds((text[at] - '0') * unit);
    if (at == first) return std::nullopt;
  }
  if ((stands(at, 'Z') || stands(at, 'z')) && text.size() == at + 1) return time;
  const auto hours = number(at + 1, 2, 23), minutes = number(at + 4, 2, 59);
  if (!hours || !minutes || !stands(at + 3, ':') || text.size() != at + 6) return std::nullopt;
  const auto ahead = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  if (stands(at, '+')) return time - ahead;
  if (stands(at, '-')) return time + ahead;
  return std::nullopt;
}

}  // namespace wherry::audit
